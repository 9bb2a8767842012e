/** Integer probabilities of the entropy coder (docs/format.md#payload). */

/** Sum of the frequencies of a row. */
export const TOTAL = 1 << 16;

/**
 * Probabilities of consecutive integers and, optionally, of all others together.
 *
 * @typedef {object} Row
 * @property {Int32Array} cdf cumulative frequencies from 0 to TOTAL.
 * @property {number} offset the integer of the first interval.
 * @property {boolean} escape the last interval represents all other integers.
 */

/**
 * The rows of Gaussians of ascending scale, each with an escape.
 *
 * @param {Map<string, {shape: number[], values: Int32Array}>} arrays
 * @returns {Row[]}
 */
export function gaussianRows(arrays) {
  const width = arrays.get("gaussian/cdf").shape[1];
  const cdf = arrays.get("gaussian/cdf").values;
  const lengths = arrays.get("gaussian/cdf_length").values;
  return Array.from(arrays.get("gaussian/offset").values, (offset, row) => ({
    cdf: cdf.slice(row * width, row * width + lengths[row]),
    offset,
    escape: true,
  }));
}

/**
 * The row of the tokens at each position of a tile, or one row for all positions.
 *
 * @param {Map<string, {shape: number[], values: Uint16Array}>} arrays
 * @returns {Row[]}
 */
export function tokenRows(arrays) {
  const { shape, values } = arrays.get("token_frequencies");
  const [positions, size] = shape;
  return Array.from({ length: positions }, (_, position) => {
    const cdf = new Int32Array(size + 1);
    for (let i = 0; i < size; i++) cdf[i + 1] = cdf[i] + values[position * size + i];
    return { cdf, offset: 0, escape: false };
  });
}

/**
 * Lower bound of the bits of a tile's tokens, rounded down for each token.
 *
 * @param {Row[]} rows as from `tokenRows`.
 * @param {number} numTokens tokens of a tile.
 */
export function minBits(rows, numTokens) {
  let sum = 0;
  for (const { cdf } of rows) {
    let largest = 0;
    for (let i = 1; i < cdf.length; i++) {
      largest = Math.max(largest, cdf[i] - cdf[i - 1]);
    }
    sum += 16 - (32 - Math.clz32(largest - 1));
  }
  return Math.floor((sum * numTokens) / rows.length);
}

/**
 * The table row of a scale: the last row whose start does not exceed the scale.
 *
 * @param {Float32Array} starts smallest scale of row 1 and of all later rows.
 * @param {number} scale in quantisation steps.
 */
export function rowOfScale(starts, scale) {
  let low = 0;
  let high = starts.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (starts[middle] <= scale) low = middle + 1;
    else high = middle;
  }
  return low;
}
