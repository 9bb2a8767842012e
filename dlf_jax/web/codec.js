/** Files from tokens and latents, and back (docs/format.md). */

import { pack, parse } from "./container.js";
import { ContextModel } from "./context_model.js";
import { UserError } from "./errors.js";
import { decodeLatent, encodeLatent } from "./latent_coding.js";
import { Decoder, Encoder } from "./range_coder.js";
import { readSafetensors } from "./safetensors.js";
import { gaussianRows, minBits, tokenRows } from "./tables.js";

const MODEL_ID_DIGITS = 6;
const RANGE_CODER = 0;

/**
 * The coded content of an image.
 *
 * @typedef {object} Code
 * @property {Int32Array} tokens tile by tile.
 * @property {Int32Array[]} symbols of the four parts, in the order of the file.
 * @property {Float32Array} latent as decoded, cell by cell.
 * @property {{tokens: number, parts: number[]}} bits information of the symbols.
 */

/** The part of the codec that computes in integers. */
export class Codec {
  /**
   * @param {{name: string, fingerprint: string, config: object}} model content of
   *   `model.json`.
   * @param {ArrayBuffer} tables content of `tables.safetensors`.
   * @param {number} maxPixels larger images are rejected, padding included.
   */
  constructor(model, tables, maxPixels = 1e8) {
    const arrays = readSafetensors(tables);
    const gaussians = gaussianRows(arrays);
    const tokens = tokenRows(arrays);
    const { config } = model;
    this.name = model.name;
    this.modelId = model.fingerprint.slice(0, MODEL_ID_DIGITS);
    this.config = config;
    this.numRates = config.num_rates;
    this.tile = config.grid * config.patch_size;
    this._maxPixels = maxPixels;
    this._context = new ContextModel(arrays, config.latent_channels);
    this._scales = {
      starts: arrays.get("gaussian/row_starts").values,
      skipThreshold: Math.fround(config.skip_threshold),
    };
    this._rows = [...gaussians, ...tokens];
    this._firstTokenRow = gaussians.length;
    this._tokenRows = tokens.length;
    this._tileBits = minBits(tokens, config.num_tokens);
  }

  /**
   * Sizes of a padded image, its latent and its tokens.
   *
   * @param {number} width of the image, in pixels.
   * @param {number} height of the image, in pixels.
   * @throws {UserError} the image is too large.
   */
  layout(width, height) {
    const across = Math.ceil(width / this.tile);
    const down = Math.ceil(height / this.tile);
    const pixels = across * down * this.tile ** 2;
    if (!(pixels > 0 && pixels <= this._maxPixels)) {
      throw new UserError(
        `the image has ${width} x ${height} pixels; the limit is ` +
          `${this._maxPixels}, padding to multiples of ${this.tile} included`,
      );
    }
    const cells = this.config.grid / 2;
    return {
      width: across * this.tile,
      height: down * this.tile,
      gridWidth: across * cells,
      gridHeight: down * cells,
      tiles: across * down,
      minPayload: Math.floor((across * down * this._tileBits) / 8),
    };
  }

  /**
   * Encodes the analysis of an image.
   *
   * @param {object} image
   * @param {number} image.width in pixels.
   * @param {number} image.height in pixels.
   * @param {number} image.rate a multiple of 1/STEPS.
   * @param {Int32Array} image.tokens tile by tile.
   * @param {Float32Array} image.latent not quantised, cell by cell.
   * @returns {{file: Uint8Array, code: Code}} the file and its content.
   */
  encode({ width, height, rate, tokens, latent }) {
    const layout = this.layout(width, height);
    const encoder = new Encoder(this._rows);
    encoder.encode(tokens, this._indexesOfTokens(layout.tiles));
    const tokenBits = encoder.bits;
    const context = this._context.ofImage(rate, layout.gridHeight, layout.gridWidth);
    const coded = encodeLatent(latent, context, this._scales, encoder);
    const stream = encoder.finish();
    const payload = new Uint8Array(Math.max(stream.length, layout.minPayload));
    payload.set(stream);
    const header = { modelId: this.modelId, rate, width, height, coder: RANGE_CODER };
    return { file: pack(header, payload), code: content(tokens, tokenBits, coded) };
  }

  /**
   * Decodes a file up to the latent.
   *
   * @param {Uint8Array} data
   * @returns {{header: import("./container.js").Header, code: Code}}
   * @throws {UserError} the file is damaged or was written with another model or coder.
   */
  decode(data) {
    const { header, payload } = parse(data);
    if (header.modelId !== this.modelId) {
      throw new UserError(
        `the file was written with model ${header.modelId}, not with ${this.name} ` +
          `(${this.modelId})`,
      );
    }
    if (header.rate > this.numRates - 1) {
      throw new UserError(`the file is damaged: there is no rate ${header.rate}`);
    }
    const layout = this.layout(header.width, header.height);
    if (payload.length < layout.minPayload) {
      throw new UserError("the file is damaged: it is too short for its image");
    }
    if (header.coder !== RANGE_CODER) {
      throw new UserError(
        "the file needs the entropy coder of TensorFlow Compression: use `dlf decompress`",
      );
    }
    const { gridHeight, gridWidth } = layout;
    const decoder = new Decoder(payload, this._rows);
    const tokens = decoder.decode(this._indexesOfTokens(layout.tiles));
    const tokenBits = decoder.bits;
    const context = this._context.ofImage(header.rate, gridHeight, gridWidth);
    const coded = decodeLatent(context, this._scales, decoder);
    return { header, code: content(tokens, tokenBits, coded) };
  }

  /** The row of every token of an image. */
  _indexesOfTokens(tiles) {
    const indexes = new Int16Array(tiles * this.config.num_tokens);
    return indexes.map((_, i) => {
      const position = i % this.config.num_tokens;
      return this._firstTokenRow + (position % this._tokenRows);
    });
  }
}

function content(tokens, tokenBits, { symbols, latent, bits }) {
  return { tokens, symbols, latent, bits: { tokens: tokenBits, parts: bits } };
}
