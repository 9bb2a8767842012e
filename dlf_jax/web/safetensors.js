/** Reader of safetensors files (https://github.com/huggingface/safetensors). */

const TYPES = {
  F32: Float32Array,
  I32: Int32Array,
  I16: Int16Array,
  U16: Uint16Array,
  I8: Int8Array,
};

/**
 * The arrays of a file.
 *
 * @param {ArrayBuffer} buffer the whole file.
 * @returns {Map<string, {shape: number[], values: Float32Array | Int32Array
 *   | Int16Array | Uint16Array | Int8Array}>} arrays by name, in C order.
 */
export function readSafetensors(buffer) {
  const length = Number(new DataView(buffer).getBigUint64(0, true));
  const text = new TextDecoder().decode(new Uint8Array(buffer, 8, length));
  const arrays = new Map();
  for (const [name, about] of Object.entries(JSON.parse(text))) {
    if (name === "__metadata__") continue;
    const [start, end] = about.data_offsets.map((offset) => 8 + length + offset);
    // A copy: views need addresses at multiples of the item size.
    const values = new TYPES[about.dtype](buffer.slice(start, end));
    arrays.set(name, { shape: about.shape, values });
  }
  return arrays;
}
