/** Header and checksum around the entropy-coded payload (docs/format.md#header). */

import { UserError } from "./errors.js";
import { STEPS } from "./rates.js";

const MAGIC = [0x44, 0x4c, 0x46];
// The second is for rates between the rate points.
const [WHOLE_RATES, FINE_RATES] = [1, 2];
const MODEL_ID_BYTES = 3;
const MAX_VARINT_BYTES = 5;
const CODERS = 2;
const DAMAGED = "the file is truncated or damaged";

/**
 * The fields of a file's header.
 *
 * @typedef {object} Header
 * @property {string} modelId first bytes of the model's fingerprint, hexadecimal.
 * @property {number} rate a multiple of 1/STEPS, 0 for the smallest files.
 * @property {number} width of the image, in pixels.
 * @property {number} height of the image, in pixels.
 * @property {number} coder number of the payload's entropy coder.
 */

/**
 * Packs a header and a payload.
 *
 * @param {Header} header
 * @param {Uint8Array} payload
 * @returns {Uint8Array} the bytes of a file.
 */
export function pack(header, payload) {
  const isWhole = Number.isInteger(header.rate);
  const head = Uint8Array.from([
    ...MAGIC,
    (header.coder << 4) | (isWhole ? WHOLE_RATES : FINE_RATES),
    ...header.modelId.match(/../g).map((byte) => parseInt(byte, 16)),
    ...varint(isWhole ? header.rate : header.rate * STEPS),
    ...varint(header.width),
    ...varint(header.height),
  ]);
  const file = new Uint8Array(head.length + 2 + payload.length);
  file.set(head);
  new DataView(file.buffer).setUint16(head.length, checksum(head, payload));
  file.set(payload, head.length + 2);
  return file;
}

/**
 * Checks a file and splits it into header and payload.
 *
 * @param {Uint8Array} data the whole file.
 * @returns {{header: Header, payload: Uint8Array}}
 * @throws {UserError} the bytes are no DLF file, are damaged, or need a newer version.
 */
export function parse(data) {
  if (!data.length) throw new UserError("the file is empty");
  if (MAGIC.some((byte, i) => i < data.length && data[i] !== byte)) {
    throw new UserError("this is not a DLF file");
  }
  const start = MAGIC.length + 1 + MODEL_ID_BYTES;
  if (data.length < start) throw new UserError(DAMAGED);
  const coder = data[MAGIC.length] >> 4;
  const version = data[MAGIC.length] & 15;
  if (![WHOLE_RATES, FINE_RATES].includes(version) || coder >= CODERS) {
    throw new UserError("the file is damaged or was written by a newer version of dlf");
  }
  let end = start;
  const fields = [];
  while (fields.length < 3) {
    const [value, next] = readVarint(data, end);
    fields.push(value);
    end = next;
  }
  const payload = data.subarray(end + 2);
  const found = (data[end] << 8) | data[end + 1];
  if (data.length < end + 2 || found !== checksum(data.subarray(0, end), payload)) {
    throw new UserError(DAMAGED);
  }
  const [number, width, height] = fields;
  const rate = version === FINE_RATES ? number / STEPS : number;
  if (!(width * height)) {
    throw new UserError(`the file holds ${width} x ${height} pixels`);
  }
  const modelId = Array.from(data.subarray(start - MODEL_ID_BYTES, start), (byte) =>
    byte.toString(16).padStart(2, "0"),
  ).join("");
  return { header: { modelId, rate, width, height, coder }, payload };
}

/** CRC-16 (XMODEM) of several pieces of bytes. */
function checksum(...pieces) {
  let crc = 0;
  for (const piece of pieces) {
    for (const byte of piece) {
      crc ^= byte << 8;
      for (let bit = 0; bit < 8; bit++) {
        crc = crc & 0x8000 ? (crc << 1) ^ 0x11021 : crc << 1;
      }
    }
  }
  return crc;
}

function varint(value) {
  const bytes = [];
  for (; value > 127; value = Math.floor(value / 128)) bytes.push((value % 128) | 128);
  return [...bytes, value];
}

/** The value and the position after its last byte. */
function readVarint(data, start) {
  let value = 0;
  // Values have up to 35 bits: more than shifts can move.
  for (let i = 0; i < MAX_VARINT_BYTES && start + i < data.length; i++) {
    const byte = data[start + i];
    value += (byte & 127) * 128 ** i;
    if (byte < 128) return [value, start + i + 1];
  }
  throw new UserError(DAMAGED);
}
