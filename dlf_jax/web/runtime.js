/** ONNX Runtime Web for the GPU, and for processors. */

// Networks for processors are ready in a fifth of the time, and run a tenth longer, than
// with the default plan, which compares every free buffer with every new one, in graphs
// of 5,000 nodes.  GPUs without 16-bit floats need constants in 32 bits: "basic".
const RUNTIMES = {
  webgpu: {
    load: () => import("./ort/ort.jspi.min.mjs"),
    options: {
      executionProviders: ["webgpu"],
      executionMode: "parallel",
      graphOptimizationLevel: "basic",
    },
  },
  wasm: {
    load: () => import("./ort/ort.wasm.min.mjs"),
    options: { executionMode: "parallel", graphOptimizationLevel: "disabled" },
  },
};

/**
 * The devices to compute with, best first.
 *
 * @param {string | null} wanted "webgpu" or "wasm", in place of the best one.
 * @returns {Promise<string[]>}
 */
export async function devices(wanted) {
  const gpu = wanted === "webgpu" || (wanted !== "wasm" && (await hasGpu()));
  return gpu ? ["webgpu", "wasm"] : ["wasm"];
}

/**
 * Loads the runtime of a device.
 *
 * @param {string} device "webgpu" or "wasm".
 * @returns {Promise<{ort: object, options: object}>} the runtime, options of its sessions.
 */
export async function loadRuntime(device) {
  const { load, options } = RUNTIMES[device];
  const ort = await load();
  ort.env.wasm.wasmPaths = new URL("./ort/", import.meta.url).href;
  // Threads need shared memory, which browsers grant to isolated pages alone.
  ort.env.wasm.numThreads =
    device === "wasm" && globalThis.crossOriginIsolated
      ? Math.min(navigator.hardwareConcurrency, 4)
      : 1;
  return { ort, options };
}

/** Whether there is a GPU, in hardware, for which the browser can run the runtime. */
async function hasGpu() {
  // The runtime suspends WebAssembly while the GPU works.
  if (!("Suspending" in WebAssembly)) return false;
  const adapter = await globalThis.navigator?.gpu?.requestAdapter().catch(() => null);
  return Boolean(adapter) && !adapter.info.isFallbackAdapter;
}
