// The page's worker in Node: reads requests and writes answers as lines of JSON.
//   node node.mjs SITE

import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const bytes = (value) => Buffer.from(value.buffer, value.byteOffset, value.byteLength);
const pack = (_, value) =>
  ArrayBuffer.isView(value) ? { base64: bytes(value).toString("base64") } : value;
const unpack = (_, value) =>
  value?.base64 === undefined ? value : new Uint8Array(Buffer.from(value.base64, "base64"));

let answer;
globalThis.self = globalThis;
globalThis.fetch = async (url) => new Response(await readFile(url));
self.postMessage = (message) => (answer = message);
await import(new URL("worker.js", pathToFileURL(`${process.argv[2]}/`)));

for await (const line of createInterface({ input: process.stdin })) {
  const request = { data: JSON.parse(line, unpack) };
  const start = performance.now();
  const cpu = process.cpuUsage();
  await self.onmessage(request);
  const { user, system } = process.cpuUsage(cpu);
  const seconds = (performance.now() - start) / 1e3;
  console.log(JSON.stringify({ ...answer, seconds, cpu: (user + system) / 1e6 }, pack));
}
