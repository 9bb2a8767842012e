/** Analysis and synthesis in ONNX Runtime; sizes count tiles. */

import * as ort from "./ort/ort.wasm.min.mjs";

ort.env.wasm.wasmPaths = new URL("./ort/", import.meta.url).href;
// Threads need shared memory, which browsers grant to isolated pages alone.
ort.env.wasm.numThreads = globalThis.crossOriginIsolated
  ? Math.min(navigator.hardwareConcurrency, 4)
  : 1;

// The networks are ready in a fifth of the time, and run a tenth longer.  The default plan
// compares every free buffer with every new one, in graphs of 5,000 nodes.
const OPTIONS = { executionMode: "parallel", graphOptimizationLevel: "disabled" };

/** The networks of a model. */
export class Networks {
  /**
   * Prepares the networks.
   *
   * @param {object} config sizes, from `model.json`.
   * @param {Uint8Array} analysis content of `analyze.onnx`.
   * @param {Uint8Array} synthesis content of `synthesize.onnx`.
   */
  static async create(config, analysis, synthesis) {
    const networks = new Networks();
    networks._config = config;
    networks._analysis = await ort.InferenceSession.create(analysis, OPTIONS);
    networks._synthesis = await ort.InferenceSession.create(synthesis, OPTIONS);
    return networks;
  }

  /**
   * Tokens and latent of an image.
   *
   * @param {Uint8Array} pixels RGB, row by row.
   * @param {{width: number, height: number}} layout sizes, multiples of a tile.
   * @param {number} rate
   */
  async analyze(pixels, layout, rate) {
    const { tile } = sizes(this._config);
    const shape = [layout.height / tile, tile, layout.width / tile, tile, 3];
    const { tokens, latent } = await this._analysis.run({
      image: new ort.Tensor("uint8", pixels, shape),
      rate: new ort.Tensor("float32", Float32Array.of(rate)),
    });
    return { tokens: tokens.data, latent: latent.data };
  }

  /**
   * The RGB pixels of decoded tokens and latent, of the padded image.
   *
   * @param {Int32Array} tokens
   * @param {Float32Array} latent
   * @param {{width: number, height: number}} layout
   * @param {number} rate
   */
  async synthesize(tokens, latent, layout, rate) {
    const { tile, cells } = sizes(this._config);
    const rows = layout.height / tile;
    const columns = layout.width / tile;
    const { num_tokens: length, latent_channels: channels } = this._config;
    const { image } = await this._synthesis.run({
      tokens: new ort.Tensor("int32", tokens, [rows, columns, length]),
      latent: new ort.Tensor("float32", latent, [rows, cells, columns, cells, channels]),
      rate: new ort.Tensor("float32", Float32Array.of(rate)),
    });
    return image.data;
  }
}

/** Pixels and cells of the latent along a tile. */
function sizes({ grid, patch_size: patch }) {
  return { tile: grid * patch, cells: grid / 2 };
}
