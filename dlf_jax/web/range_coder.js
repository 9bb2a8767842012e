/**
 * The range coder (docs/format.md#payload): symbols by ascending row, then the values
 * of escaped symbols.
 *
 * The 64-bit numbers are BigInts; frequencies are out of 2^24.
 */

import { UserError } from "./errors.js";

const FREQUENCY_BITS = 24n;
const WORD_BITS = 32n;
const ONE_WORD = 1n << WORD_BITS;
const MASK_64 = (1n << 64n) - 1n;
const ESCAPE_SIZES = 16;
const MAX_SYMBOL = 30000;

/**
 * Turns integers into bytes.
 *
 * `bits` is the information of all symbols so far, in bits.
 */
export class Encoder {
  /** @param {import("./tables.js").Row[]} rows */
  constructor(rows) {
    this.bits = 0;
    this._rows = rows;
    this._low = 0n;
    this._range = MASK_64;
    this._words = []; // 32 bits each, above those of `_low`
  }

  /**
   * Appends symbols.
   *
   * @param {Int32Array} symbols
   * @param {Int16Array} indexes row of each symbol, or -1 for a symbol 0 that is not
   *   coded.
   */
  encode(symbols, indexes) {
    const escaped = [];
    for (const i of codingOrder(indexes, this._rows.length)) {
      const { cdf, offset, escape } = this._rows[indexes[i]];
      const size = cdf.length - 1 - escape;
      const entry = symbols[i] - offset;
      const inside = entry >= 0 && entry < size;
      if (Math.abs(symbols[i]) > MAX_SYMBOL || !(inside || escape)) {
        throw new RangeError(`symbol ${symbols[i]} cannot be coded`);
      }
      // Below the row's range 2, 4, 6... and above it 1, 3, 5..., nearest first.
      if (!inside) escaped.push(entry < 0 ? -2 * entry : 2 * (entry - size) + 1);
      const interval = inside ? entry : size;
      const start = cdf[interval];
      this._append(256 * start, 256 * (cdf[interval + 1] - start));
    }
    const sizes = escaped.map((value) => 1 << (31 - Math.clz32(value)));
    for (const size of sizes) this._uniform(31 - Math.clz32(size), ESCAPE_SIZES);
    sizes.forEach((size, i) => {
      if (size > 1) this._uniform(escaped[i] - size, size);
    });
  }

  /** @returns {Uint8Array} the stream; the decoder continues it with zeros. */
  finish() {
    const words = [...this._words, this._low >> WORD_BITS, this._low % ONE_WORD];
    const hex = words.map((word) => BigInt(word).toString(16).padStart(8, "0"));
    let head = BigInt(`0x${hex.join("")}`);
    const high = head + this._range;
    let length = 4 * words.length;
    // The shortest head of these bytes that, with zeros behind it, is in the interval.
    for (let dropped = 8n; length; dropped += 8n, length--) {
      const shorter = (head + 255n) >> 8n;
      if (shorter << dropped >= high) break;
      head = shorter;
    }
    const digits = length ? head.toString(16).padStart(2 * length, "0") : "";
    return Uint8Array.from(digits.match(/../g) ?? [], (byte) => parseInt(byte, 16));
  }

  _uniform(value, size) {
    const share = Math.floor(2 ** 24 / size);
    const last = 2 ** 24 - share * (size - 1);
    this._append(share * value, value === size - 1 ? last : share);
  }

  /** Narrows the interval to a symbol, with the frequencies before it and its own. */
  _append(before, frequency) {
    this.bits += 24 - Math.log2(frequency);
    const unit = this._range >> FREQUENCY_BITS;
    this._low += unit * BigInt(before);
    this._range = unit * BigInt(frequency);
    if (this._low > MASK_64) {
      this._low &= MASK_64;
      this._carry();
    }
    if (this._range < ONE_WORD) {
      this._words.push(Number(this._low >> WORD_BITS));
      this._low = (this._low << WORD_BITS) & MASK_64;
      this._range <<= WORD_BITS;
    }
  }

  _carry() {
    let i = this._words.length - 1;
    for (; this._words[i] === 0xffffffff; i--) this._words[i] = 0;
    this._words[i]++;
  }
}

/**
 * Inverse of `Encoder`.
 *
 * `bits` is the information of all symbols so far, in bits.
 */
export class Decoder {
  /**
   * @param {Uint8Array} data the stream.
   * @param {import("./tables.js").Row[]} rows those of the encoder.
   */
  constructor(data, rows) {
    this.bits = 0;
    this._data = data;
    this._rows = rows;
    this._position = 0;
    this._range = MASK_64;
    // Distance of the stream, read as a fraction, from the start of the interval.
    this._distance = (this._word() << WORD_BITS) | this._word();
  }

  /**
   * Reads symbols.
   *
   * @param {Int16Array} indexes row of each symbol, or -1 for a symbol that is not
   *   coded.
   * @returns {Int32Array} the symbols, 0 for index -1.
   * @throws {UserError} no encoder wrote the stream.
   */
  decode(indexes) {
    const symbols = new Int32Array(indexes.length);
    const escaped = [];
    for (const i of codingOrder(indexes, this._rows.length)) {
      const { cdf, offset, escape } = this._rows[indexes[i]];
      const place = this._place() >> 8;
      let interval = 0;
      for (let above = cdf.length - 1; above - interval > 1; ) {
        const middle = (interval + above) >> 1;
        if (cdf[middle] <= place) interval = middle;
        else above = middle;
      }
      const start = cdf[interval];
      this._remove(256 * start, 256 * (cdf[interval + 1] - start));
      symbols[i] = offset + interval;
      if (escape && interval === cdf.length - 2) escaped.push(i);
    }
    const bits = escaped.map(() => this._uniform(ESCAPE_SIZES));
    bits.forEach((count, j) => {
      const size = 1 << count;
      const value = size + (count ? this._uniform(size) : 0);
      const i = escaped[j];
      // The symbol is the first one above the row's range so far.
      if (value % 2) symbols[i] += (value - 1) / 2;
      else symbols[i] = this._rows[indexes[i]].offset - value / 2;
    });
    return symbols;
  }

  _uniform(size) {
    const share = Math.floor(2 ** 24 / size);
    const last = 2 ** 24 - share * (size - 1);
    const value = Math.min(Math.floor(this._place() / share), size - 1);
    this._remove(share * value, value === size - 1 ? last : share);
    return value;
  }

  /** The place of the stream within all frequencies, from 0 to 2^24 - 1. */
  _place() {
    this._unit = this._range >> FREQUENCY_BITS;
    const place = Number(this._distance / this._unit);
    if (place >= 2 ** 24) {
      throw new UserError("the file is damaged: its coded data is invalid");
    }
    return place;
  }

  _remove(before, frequency) {
    this.bits += 24 - Math.log2(frequency);
    this._distance -= this._unit * BigInt(before);
    this._range = this._unit * BigInt(frequency);
    if (this._range < ONE_WORD) {
      this._distance = (this._distance << WORD_BITS) | this._word();
      this._range <<= WORD_BITS;
    }
  }

  /** The next 32 bits; zeros follow the stream. */
  _word() {
    let word = 0;
    for (let i = 0; i < 4; i++) word = 256 * word + (this._data[this._position++] ?? 0);
    return BigInt(word);
  }
}

/** Positions of the coded symbols by ascending row, in array order within a row. */
function codingOrder(indexes, numRows) {
  const starts = new Int32Array(numRows + 1);
  for (const row of indexes) if (row >= 0) starts[row + 1]++;
  for (let row = 0; row < numRows; row++) starts[row + 1] += starts[row];
  const order = new Int32Array(starts[numRows]);
  indexes.forEach((row, i) => {
    if (row >= 0) order[starts[row]++] = i;
  });
  return order;
}
