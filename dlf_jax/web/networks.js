/** Analysis and synthesis in ONNX Runtime; sizes count tiles. */

import { loadRuntime } from "./runtime.js";

/** The networks of a model. */
export class Networks {
  /**
   * Prepares the networks.
   *
   * @param {object} config sizes, from `model.json`.
   * @param {Uint8Array} analysis content of `analyze.onnx`.
   * @param {Uint8Array} synthesis content of `synthesize.onnx`.
   * @param {string[]} devices devices to try, in this order; the others serve when one
   *   fails, also later.
   */
  static async create(config, analysis, synthesis, devices) {
    const networks = new Networks();
    networks._config = config;
    networks._graphs = { analysis, synthesis };
    networks._devices = [...devices];
    await networks._retry(async () => {});
    return networks;
  }

  /** The device in use. */
  get device() {
    return this._devices[0];
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
    const { tokens, latent } = await this._run("analysis", {
      image: ["uint8", pixels, shape],
      rate: ["float32", Float32Array.of(rate)],
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
    const { image } = await this._run("synthesis", {
      tokens: ["int32", tokens, [rows, columns, length]],
      latent: ["float32", latent, [rows, cells, columns, cells, channels]],
      rate: ["float32", Float32Array.of(rate)],
    });
    return image.data;
  }

  _run(graph, inputs) {
    return this._retry(({ ort, sessions }) => {
      const tensors = Object.entries(inputs).map(([name, values]) => [
        name,
        new ort.Tensor(...values),
      ]);
      return sessions[graph].run(Object.fromEntries(tensors));
    });
  }

  /** The result of work; after an error, once more on the next device. */
  async _retry(work) {
    try {
      this._prepared ??= await this._prepare();
      return await work(this._prepared);
    } catch (error) {
      if (this._devices.length === 1) throw error;
      this._devices.shift();
      this._prepared = undefined;
      return this._retry(work);
    }
  }

  async _prepare() {
    const { ort, options } = await loadRuntime(this.device);
    const sessions = {};
    for (const [name, graph] of Object.entries(this._graphs)) {
      sessions[name] = await ort.InferenceSession.create(graph, options);
    }
    return { ort, sessions };
  }
}

/** Pixels and cells of the latent along a tile. */
function sizes({ grid, patch_size: patch }) {
  return { tile: grid * patch, cells: grid / 2 };
}
