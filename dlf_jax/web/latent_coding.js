/** Detail latent to symbols and back, in four parts (docs/format.md#payload). */

import { ONE } from "./fixed_point.js";
import { rowOfScale } from "./tables.js";

const MAX_SYMBOL = 30000;

// Group coded by class a, b, c, d (row parity, column parity) in each part.
const GROUP_OF_CLASS = [
  [0, 1, 2, 3],
  [3, 2, 1, 0],
  [2, 3, 0, 1],
  [1, 0, 3, 2],
];

/**
 * Rules for the row of a symbol.
 *
 * @typedef {object} Scales
 * @property {Float32Array} starts smallest scale of row 1 and of all later rows.
 * @property {number} skipThreshold symbols with a smaller scale are not coded.
 */

/**
 * Quantises and codes a latent.
 *
 * @param {Float32Array} latent cell by cell.
 * @param {object} context as from `ContextModel.ofImage`.
 * @param {Scales} scales
 * @param {import("./range_coder.js").Encoder} encoder
 * @returns {{symbols: Int32Array[], latent: Float32Array, bits: number[]}} symbols of
 *   the four parts in the order of the file, the latent as decoded, and the information
 *   of each part.
 */
export function encodeLatent(latent, context, scales, encoder) {
  const steps = Float32Array.from(context.steps, (step) => step / ONE);
  const scaled = Float32Array.from(latent, (value, i) => value / steps[i]);
  return fourParts(context, scales, encoder, (positions, means, indexes) => {
    const symbols = Int32Array.from(indexes, (row, i) => {
      if (row < 0) return 0;
      const at = positions[i];
      const mean = Math.fround(means[at] / ONE);
      const residual = roundHalfToEven(Math.fround(scaled[at] - mean));
      return Math.min(Math.max(residual, -MAX_SYMBOL), MAX_SYMBOL);
    });
    encoder.encode(symbols, indexes);
    return symbols;
  });
}

/** Reads the symbols that `encodeLatent` wrote; returns the same values. */
export function decodeLatent(context, scales, decoder) {
  const code = (positions, means, indexes) => decoder.decode(indexes);
  return fourParts(context, scales, decoder, code);
}

function fourParts(context, { starts, skipThreshold }, coder, code) {
  const decoded = new Float64Array(context.steps.length);
  const symbols = [];
  const bits = [];
  for (let part = 0; part < 4; part++) {
    const [scales, means] = context.step(part, decoded);
    const positions = positionsOf(part, context);
    const indexes = Int16Array.from(positions, (at) => {
      const scale = scales[at] / ONE;
      return scale < skipThreshold ? -1 : rowOfScale(starts, scale);
    });
    const before = coder.bits;
    const values = code(positions, means, indexes);
    values.forEach((value, i) => {
      const at = positions[i];
      decoded[at] = ONE * value + means[at];
    });
    symbols.push(values);
    bits.push(coder.bits - before);
  }
  const latent = Float32Array.from(decoded, (value, i) => {
    return Math.fround(value / ONE) * (context.steps[i] / ONE);
  });
  return { symbols, latent, bits };
}

/** Positions of a part in a map, in the order of the file. */
function positionsOf(part, { height, width, channels }) {
  const group = channels / 4;
  const positions = new Int32Array(height * width * group);
  let i = 0;
  for (let channel = 0; channel < group; channel++) {
    for (let row = 0; row < height; row++) {
      for (let column = 0; column < width; column++) {
        const active = GROUP_OF_CLASS[part][2 * (row % 2) + (column % 2)];
        const cell = row * width + column;
        positions[i++] = cell * channels + active * group + channel;
      }
    }
  }
  return positions;
}

function roundHalfToEven(value) {
  const rounded = Math.round(value);
  const isTie = Math.abs(value % 1) === 0.5;
  return isTie && rounded % 2 ? rounded - 1 : rounded;
}
