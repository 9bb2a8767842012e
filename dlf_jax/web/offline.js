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
const URLS = new Set(FILES.map((file) => new URL(file, self.location.href).href));

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(URLS)));
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
