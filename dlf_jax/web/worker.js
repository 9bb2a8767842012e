/** The codec beside the page, which stays responsive. */

import { Codec } from "./codec.js";
import { UserError } from "./errors.js";
import { Networks } from "./networks.js";
import { cropped, padded } from "./pixels.js";
import { devices } from "./runtime.js";

// A phone's memory suffices for the networks up to this size.
const MAX_PIXELS = 6_000_000;
const FILES = ["model.json", "tables.safetensors", "analyze.onnx", "synthesize.onnx"];

let codec;
let networks;

const tasks = {
  async load({ device }) {
    const [model, tables, analysis, synthesis] = await Promise.all(FILES.map(fetched));
    const description = JSON.parse(new TextDecoder().decode(model));
    codec = new Codec(description, tables.buffer, MAX_PIXELS);
    const { config } = description;
    const usable = await devices(device);
    networks = await Networks.create(config, analysis, synthesis, usable);
    return { name: codec.name, numRates: codec.numRates };
  },

  async encode({ rgba, width, height, rate }) {
    const image = { width, height };
    const layout = codec.layout(width, height);
    const pixels = padded(rgba, image, layout);
    const analysis = await networks.analyze(pixels, layout, rate);
    const { file, code } = codec.encode({ ...image, rate, ...analysis });
    return { ...(await picture(image, layout, rate, code)), file, bits: code.bits };
  },

  async decode({ file }) {
    const { header, code } = codec.decode(file);
    const layout = codec.layout(header.width, header.height);
    const decoded = await picture(header, layout, header.rate, code);
    return { ...decoded, rate: header.rate, file, bits: code.bits };
  },
};

async function picture({ width, height }, layout, rate, { tokens, latent }) {
  const pixels = await networks.synthesize(tokens, latent, layout, rate);
  const rgba = cropped(pixels, layout, { width, height });
  return { rgba, width, height, device: networks.device };
}

async function fetched(name) {
  const response = await fetch(new URL(`./model/${name}`, import.meta.url));
  if (!response.ok) throw new UserError(`the model could not be loaded: ${name}`);
  return new Uint8Array(await response.arrayBuffer());
}

self.onmessage = async ({ data: { id, task, ...values } }) => {
  try {
    self.postMessage({ id, result: await tasks[task](values) });
  } catch (error) {
    const [reason] = error.message.split("\n");
    const failed = `this did not work (${reason}): reload the page, try a smaller photo`;
    self.postMessage({ id, error: error instanceof UserError ? reason : failed });
  }
};
