/**
 * Layers in exact integer arithmetic (docs/format.md#context-model).
 *
 * Maps are Float64Arrays of integers, cell by cell. All sums stay below 2^53 (`dlf`
 * checks this when it loads a model), so that doubles hold them exactly.
 */

/** The fixed-point number for 1. */
export const ONE = 1 << 12;
/** Largest magnitude of a value. */
export const LIMIT = 1 << 24;

/**
 * A linear map of the channels, or a 3x3 filter for each channel.
 *
 * @typedef {object} Layer
 * @property {Float64Array} kernel weights divided by 2^shift: [in, out], or [9, channel].
 * @property {Float64Array} bias with the half that rounding adds.
 */

/**
 * A layer in the form for the functions below.
 *
 * @param {Int16Array} kernel
 * @param {number} shift
 * @param {Int32Array} bias
 * @returns {Layer}
 */
export function layer(kernel, shift, bias) {
  return {
    kernel: Float64Array.from(kernel, (weight) => weight * 2 ** -shift),
    bias: Float64Array.from(bias, (value) => value + 0.5),
  };
}

/** Clips to ±LIMIT. */
export function clip(value) {
  return Math.min(Math.max(value, -LIMIT), LIMIT);
}

/** Adds y to x in place, clipped; returns x. */
export function add(x, y) {
  for (let i = 0; i < x.length; i++) x[i] = clip(x[i] + y[i]);
  return x;
}

/**
 * A linear map of the channels of every cell.
 *
 * @param {Layer} layer
 * @param {Float64Array} x
 */
export function dense({ kernel, bias }, x) {
  const outputs = bias.length;
  const inputs = kernel.length / outputs;
  const cells = x.length / inputs;
  const y = new Float64Array(cells * outputs);
  for (let cell = 0; cell < cells; cell++) {
    const sums = y.subarray(cell * outputs, (cell + 1) * outputs);
    sums.set(bias);
    for (let i = 0; i < inputs; i++) {
      const value = x[cell * inputs + i];
      for (let o = 0, k = i * outputs; o < outputs; o++, k++) {
        sums[o] += value * kernel[k];
      }
    }
  }
  return finish(y);
}

/**
 * A 3x3 filter for each channel, with zeros beyond the border.
 *
 * @param {Layer} layer
 * @param {Float64Array} x
 * @param {number} height in cells.
 * @param {number} width in cells.
 */
export function depthwiseConv({ kernel, bias }, x, height, width) {
  const channels = bias.length;
  const y = new Float64Array(x.length);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const start = (row * width + column) * channels;
      const sums = y.subarray(start, start + channels);
      sums.set(bias);
      for (let tap = 0; tap < 9; tap++) {
        const r = row + Math.floor(tap / 3) - 1;
        const c = column + (tap % 3) - 1;
        if (r < 0 || r >= height || c < 0 || c >= width) continue;
        const from = (r * width + c) * channels;
        for (let i = 0; i < channels; i++) {
          sums[i] += x[from + i] * kernel[tap * channels + i];
        }
      }
    }
  }
  return finish(y);
}

/** A function that multiplies negative values by `slope`, a multiple of 2^-20. */
export function leakyRelu(slope) {
  const factor = Math.round(slope * 2 ** 20) / 2 ** 20;
  return (value) => (value < 0 ? Math.floor(value * factor + 0.5) : value);
}

/** Turns sums of products into a map, in place: rounded and clipped. */
function finish(sums) {
  for (let i = 0; i < sums.length; i++) sums[i] = clip(Math.floor(sums[i]));
  return sums;
}
