/** The page: files in, pictures and numbers out. */

// Larger photos are scaled down, so that the networks fit into memory.
const MAX_PIXELS = 4_000_000;
const MAGIC = "DLF";
const DEVICES = { webgpu: "GPU (WebGPU)", wasm: "Processor (WebAssembly)" };
const PARTS = ["Semantic tokens", ...[1, 2, 3, 4].map((part) => `Detail, part ${part}`)];

const $ = (id) => document.getElementById(id);
const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
const waiting = new Map();
let numTasks = 0;
let photo; // the opened photo: {name, rgba, width, height}
let newest = 0; // the newest request: results of earlier ones are dropped

worker.onmessage = ({ data: { id, result, error } }) => {
  const { resolve, reject } = waiting.get(id);
  waiting.delete(id);
  if (error === undefined) resolve(result);
  else reject(new Error(error));
};
worker.onerror = () => {
  for (const { reject } of waiting.values()) {
    reject(new Error("this browser cannot run the page: it lacks a part that is needed"));
  }
  waiting.clear();
};

function ask(task, values = {}) {
  return new Promise((resolve, reject) => {
    const id = numTasks++;
    waiting.set(id, { resolve, reject });
    worker.postMessage({ id, task, ...values });
  });
}

/** Shows the message of work, then its result or its error. */
async function working(message, work) {
  const request = ++newest;
  $("error").hidden = true;
  $("status").textContent = message;
  document.body.setAttribute("aria-busy", "true");
  const start = performance.now();
  try {
    await work(() => request === newest);
    if (request !== newest) return;
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    $("status").textContent = `Done in ${seconds} s.`;
  } catch (error) {
    if (request !== newest) return;
    $("status").textContent = "";
    $("error").textContent = sentence(error.message);
    $("error").hidden = false;
  }
  document.body.removeAttribute("aria-busy");
}

function sentence(text) {
  return `${text[0].toUpperCase()}${text.slice(1)}${text.endsWith(".") ? "" : "."}`;
}

async function open(file) {
  const start = await file.slice(0, MAGIC.length).text();
  if (start === MAGIC || file.name.toLowerCase().endsWith(".dlf")) {
    await working("Decompressing…", async (isNewest) => {
      const data = new Uint8Array(await file.arrayBuffer());
      const result = await ask("decode", { file: data });
      if (!isNewest()) return;
      photo = undefined;
      show(result, file.name);
    });
    return;
  }
  await working("Reading the photo…", async (isNewest) => {
    const read = await readPhoto(file);
    if (isNewest()) photo = read;
  });
  if ($("error").hidden && photo) await compress();
}

async function compress() {
  const { name, rgba, width, height } = photo;
  const rate = Number(document.querySelector("#rates input:checked").value);
  await working("Compressing…", async (isNewest) => {
    const result = await ask("encode", { rgba, width, height, rate });
    if (isNewest()) show({ ...result, rate }, name);
  });
}

/** Decodes a photo, scaled down to at most MAX_PIXELS, on white where transparent. */
async function readPhoto(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    throw new Error(`this browser cannot read ${file.name} as a photo`);
  }
  const scale = Math.min(1, Math.sqrt(MAX_PIXELS / (bitmap.width * bitmap.height)));
  const width = Math.max(1, Math.floor(bitmap.width * scale));
  const height = Math.max(1, Math.floor(bitmap.height * scale));
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0, width, height);
  bitmap.close();
  const { data } = context.getImageData(0, 0, width, height);
  return { name: file.name, rgba: data, width, height, size: file.size };
}

function show({ rgba, width, height, file, bits, rate, device }, name) {
  draw($("decoded"), rgba, width, height);
  if (photo) draw($("original"), photo.rgba, width, height);
  $("original").hidden = !photo;
  $("compare").hidden = !photo;
  const facts = [
    ["DLF file", `${file.length.toLocaleString()} bytes`],
    ["Bits per pixel", ((8 * file.length) / (width * height)).toFixed(4)],
    ["Pixels", `${width} × ${height}`],
    ["Rate", String(rate)],
    ["Computed with", DEVICES[device]],
  ];
  if (photo) facts.splice(1, 0, ["Original", `${photo.size.toLocaleString()} bytes`]);
  $("facts").replaceChildren(
    ...facts.map(([term, value]) =>
      element("div", element("dt", term), element("dd", value)),
    ),
  );
  const parts = [bits.tokens, ...bits.parts].map((amount, i) => [PARTS[i], amount / 8]);
  const coded = parts.reduce((sum, [, bytes]) => sum + bytes, 0);
  parts.push(["Header and rounding", file.length - coded]);
  $("parts").replaceChildren(
    ...parts.map(([part, bytes]) => {
      const heading = element("th", part);
      heading.scope = "row";
      const share = `${((100 * bytes) / file.length).toFixed(0)} %`;
      return element("tr", heading, element("td", bytes.toFixed(1)), element("td", share));
    }),
  );
  const stem = name.replace(/\.[^.]*$/, "") || "photo";
  link($("save"), new Blob([file]), `${stem}.dlf`);
  $("decoded").toBlob((blob) => link($("png"), blob, `${stem}.dlf.png`));
  $("result").hidden = false;
}

function draw(canvas, rgba, width, height) {
  Object.assign(canvas, { width, height });
  canvas.getContext("2d").putImageData(new ImageData(rgba, width, height), 0, 0);
}

function element(name, ...content) {
  const created = document.createElement(name);
  created.append(...content);
  return created;
}

function link(anchor, blob, name) {
  if (anchor.href) URL.revokeObjectURL(anchor.href);
  anchor.href = URL.createObjectURL(blob);
  anchor.download = name;
}

function addRates(numRates) {
  for (let rate = 0; rate < numRates; rate++) {
    const input = element("input");
    Object.assign(input, { type: "radio", name: "rate", value: rate });
    input.checked = rate === Math.floor(numRates / 2);
    const ends = { 0: " (smallest)", [numRates - 1]: " (best)" };
    $("rates").append(element("label", input, `${rate}${ends[rate] ?? ""}`));
  }
}

$("file").addEventListener("change", () => {
  const [file] = $("file").files;
  if (file) open(file);
});
$("rates").addEventListener("change", () => photo && compress());
$("slider").addEventListener("input", () => {
  $("stage").style.setProperty("--share", `${$("slider").value}%`);
});
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  $("drop").classList.add("over");
});
document.addEventListener("dragleave", () => $("drop").classList.remove("over"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  $("drop").classList.remove("over");
  const [file] = event.dataTransfer.files;
  if (file && !$("file").disabled) open(file);
});

await working("Loading the model…", async () => {
  // `?device=wasm` or `?device=webgpu` behind the address overrules the choice.
  const device = new URLSearchParams(location.search).get("device");
  const { numRates } = await ask("load", { device });
  addRates(numRates);
  $("file").disabled = $("rates").disabled = false;
});
if ($("error").hidden) $("status").textContent = "Ready.";
// The server of `dlf demo` is on the same machine: no connection can be missing.
if (location.hostname !== "127.0.0.1") {
  navigator.serviceWorker?.register("offline.js").catch(() => {});
}
