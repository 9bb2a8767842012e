/** Service worker: keeps the files of the page, which then opens without a connection. */

const CACHE = "dlf";
const FILES = [
  "./",
  "LICENSE.onnxruntime",
  "app.js",
  "codec.js",
  "container.js",
  "context_model.js",
  "errors.js",
  "fixed_point.js",
  "latent_coding.js",
  "networks.js",
  "pixels.js",
  "range_coder.js",
  "rates.js",
  "runtime.js",
  "safetensors.js",
  "style.css",
  "tables.js",
  "worker.js",
  "model/analyze.onnx",
  "model/model.json",
  "model/synthesize.onnx",
  "model/tables.safetensors",
  "ort/ort-wasm-simd-threaded.mjs",
  "ort/ort-wasm-simd-threaded.wasm",
  "ort/ort.wasm.min.mjs",
];
// Kept once they were needed: 17 MB, for the GPU.
const ON_USE = [
  "ort/ort-wasm-simd-threaded.jspi.mjs",
  "ort/ort-wasm-simd-threaded.jspi.wasm",
  "ort/ort.jspi.min.mjs",
];
const url = (file) => new URL(file, self.location.href).href;
const URLS = new Set([...FILES, ...ON_USE].map(url));

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(FILES.map(url))));
});
self.addEventListener("fetch", (event) => {
  if (URLS.has(event.request.url)) event.respondWith(newest(event.request));
});

/** The file as the server has it; without a connection, as last seen. */
async function newest(request) {
  const cache = await caches.open(CACHE);
  try {
    const response = await fetch(request);
    if (response.ok) await cache.put(request, response.clone());
    return response;
  } catch (error) {
    const kept = await cache.match(request);
    if (kept) return kept;
    throw error;
  }
}
