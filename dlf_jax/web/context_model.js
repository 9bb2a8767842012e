/**
 * The context model: scales and means of the latent's parts (docs/format.md#context-model).
 */

import { ONE, add, clip, dense, depthwiseConv, layer, leakyRelu } from "./fixed_point.js";
import { STEPS } from "./rates.js";

// Cells whose widest features are held in memory at once.
const CHUNK = 256;
// Cells to each side that the two filters of the prior see.
const REACH = 2;

const weak = leakyRelu(0.01);
const strong = leakyRelu(0.1);

/** Prior and context networks of a model. */
export class ContextModel {
  /**
   * @param {Map<string, {shape: number[], values: Int16Array | Int32Array | Int8Array}>}
   *   arrays those of the model, under `context/`.
   * @param {number} channels of the latent.
   */
  constructor(arrays, channels) {
    this.channels = channels;
    this._vectors = arrays.get("context/prior_vector");
    this._layers = new Map();
    for (const [path, { values }] of arrays) {
      const [, name] = /^context\/(.*)\/kernel$/.exec(path) ?? [];
      if (!name) continue;
      const [shift] = arrays.get(`context/${name}/shift`).values;
      const bias = arrays.get(`context/${name}/bias`).values;
      this._layers.set(name, layer(values, shift, bias));
    }
    this._spatial = [];
    for (let i = 0; this._layers.has(`spatial_${i}/conv_in`); i++) {
      this._spatial.push(`spatial_${i}`);
    }
  }

  /**
   * The context model of one image.
   *
   * @param {number} rate
   * @param {number} height of the latent, in cells.
   * @param {number} width of the latent, in cells.
   */
  ofImage(rate, height, width) {
    return new ImageContext(this, rate, height, width);
  }

  /** The block `name` of the format document; changes x. */
  block(name, x, height, width) {
    const apply = (part, input) => dense(this._layers.get(`${name}/${part}`), input);
    let h = apply("conv_in", x).map(weak);
    h = depthwiseConv(this._layers.get(`${name}/depth_conv`), h, height, width);
    h = apply("conv_out", h);
    const sum = this._layers.has(`${name}/adaptor`) ? apply("adaptor", x) : x;
    add(sum, h);
    const size = (sum.length / (height * width)) * CHUNK;
    const gates = this._layers.get(`${name}/ffn_in`).bias.length / 2;
    for (let start = 0; start < sum.length; start += size) {
      const chunk = sum.subarray(start, start + size);
      const [u, v] = split(apply("ffn_in", chunk), 2, gates);
      add(chunk, apply("ffn_out", add(u.map(strong), v.map(weak))));
    }
    return sum;
  }

  /**
   * Steps, scales and means of part 0, and the features common to all later parts.
   *
   * Every cell starts from the same vector, so that cells differ only by their distance
   * to the nearest borders: all cells beyond the reach of the filters are computed as
   * one cell of a smaller grid.
   */
  prior(rate, height, width) {
    const rows = Math.min(height, 2 * REACH + 1);
    const columns = Math.min(width, 2 * REACH + 1);
    const vector = this._vector(rate);
    const length = vector.length;
    let x = new Float64Array(rows * columns * length);
    for (let start = 0; start < x.length; start += length) x.set(vector, start);
    for (const name of ["prior_0", "prior_1"]) x = this.block(name, x, rows, columns);
    const common = dense(this._layers.get("reduction"), x);
    const spread = (map) => {
      const size = map.length / (rows * columns);
      const wide = new Float64Array(height * width * size);
      for (let row = 0; row < height; row++) {
        for (let column = 0; column < width; column++) {
          const cell = nearest(row, height) * columns + nearest(column, width);
          const values = map.subarray(cell * size, (cell + 1) * size);
          wide.set(values, (row * width + column) * size);
        }
      }
      return wide;
    };
    return [spread(x), spread(common)];
  }

  /** The prior vector of a rate, between those of two rate points. */
  _vector(rate) {
    const length = this._vectors.shape[1];
    const row = (point) =>
      this._vectors.values.subarray(point * length, (point + 1) * length);
    const point = Math.floor(rate);
    const low = row(point);
    if (rate === point) return low;
    const high = row(point + 1);
    const steps = (rate - point) * STEPS;
    return low.map((v, i) => v + Math.floor(((high[i] - v) * steps) / STEPS + 0.5));
  }

  /** Scales and means of part 1, 2 or 3. */
  later(part, x, height, width) {
    for (const name of [`adaptor_${part}`, ...this._spatial]) {
      x = this.block(name, x, height, width);
    }
    return split(x, 2, this.channels);
  }
}

/** Predicts the latent of one image, part by part. */
class ImageContext {
  constructor(model, rate, height, width) {
    const [prior, common] = model.prior(rate, height, width);
    const [steps, scales, means] = split(prior, 3, model.channels);
    this.height = height;
    this.width = width;
    this.channels = model.channels;
    /** Widths of the quantisation steps, fixed-point. */
    this.steps = steps.map((step) => Math.max(step, ONE / 2));
    this._model = model;
    this._common = common;
    this._first = [scales, means];
  }

  /**
   * Scales and means of a part, fixed-point, valid at the positions of the part.
   *
   * @param {number} part 0 to 3.
   * @param {Float64Array} decoded the latent at the positions of all earlier parts, in
   *   fixed-point steps, and 0 elsewhere.
   */
  step(part, decoded) {
    if (!part) return this._first;
    const size = this.channels;
    const common = this._common.length / (this.height * this.width);
    const x = new Float64Array(this.height * this.width * (size + common));
    for (let cell = 0, at = 0; cell < this.height * this.width; cell++) {
      for (let i = 0; i < size; i++) x[at++] = clip(decoded[cell * size + i]);
      for (let i = 0; i < common; i++) x[at++] = this._common[cell * common + i];
    }
    return this._model.later(part, x, this.height, this.width);
  }
}

/** Index of the cell of the reduced grid that is as far from the nearest border. */
function nearest(index, side) {
  const leftOut = Math.max(side - 2 * REACH - 1, 0);
  return Math.max(Math.min(index, REACH), index - leftOut);
}

/** The channels of a map as `count` maps of `size` channels. */
function split(x, count, size) {
  return Array.from({ length: count }, (_, k) => {
    const piece = new Float64Array(x.length / count);
    for (let i = 0; i < piece.length; i++) {
      piece[i] = x[Math.floor(i / size) * count * size + k * size + (i % size)];
    }
    return piece;
  });
}
