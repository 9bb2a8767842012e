// Modules by themselves: the example of docs/format.md, round trips and rejections.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { pack, parse } from "../../dlf_jax/web/container.js";
import { UserError } from "../../dlf_jax/web/errors.js";
import { depthwiseConv, layer, leakyRelu } from "../../dlf_jax/web/fixed_point.js";
import { Decoder, Encoder } from "../../dlf_jax/web/range_coder.js";
import { minBits, rowOfScale } from "../../dlf_jax/web/tables.js";

const DOCUMENT = readFileSync(new URL("../../docs/format.md", import.meta.url), "utf8");

function row(frequencies, offset, escape) {
  const cdf = Int32Array.of(0, ...frequencies);
  for (let i = 1; i < cdf.length; i++) cdf[i] += cdf[i - 1];
  return { cdf, offset, escape };
}

/** The rows that the document's example uses, and -1 for the others. */
function exampleRows() {
  const rows = [];
  for (const [, index, first, list] of DOCUMENT.matchAll(
    /^\| (\d+) \| (-\d+) \| ([\d ]+) \|$/gm,
  )) {
    rows[Number(index)] = row(list.split(" ").map(Number), Number(first), true);
  }
  rows[256] = row(Array(1024).fill(64), 0, false);
  return rows;
}

function exampleFile() {
  const [, hex] = /^ {4}(44 4C 46.*)$/m.exec(DOCUMENT);
  return Uint8Array.from(hex.split(" "), (byte) => parseInt(byte, 16));
}

/** Numbers in [0, 1) that are the same in every run. */
function generator(state) {
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

test("the example of the document reads as stated, and is written the same", () => {
  const { header, payload } = parse(exampleFile());
  const expected = { modelId: "e5eeaf", rate: 2, width: 300, height: 5, coder: 0 };
  assert.deepEqual(header, expected);
  const decoder = new Decoder(payload, exampleRows());
  const tokens = decoder.decode(Int16Array.of(256, 256, 256));
  assert.deepEqual([...tokens], [5, 600, 1023]);
  const indexes = Int16Array.of(100, -1, 3, 0);
  const symbols = decoder.decode(indexes);
  assert.deepEqual([...symbols], [1, 0, -2, 40]);

  const encoder = new Encoder(exampleRows());
  encoder.encode(tokens, Int16Array.of(256, 256, 256));
  encoder.encode(symbols, indexes);
  assert.deepEqual(pack(header, encoder.finish()), exampleFile());
  assert.ok(Math.abs(encoder.bits - decoder.bits) < 1e-9);
});

test("every changed byte and every cut is noticed", () => {
  const file = exampleFile();
  for (let i = 0; i < file.length; i++) {
    assert.throws(() => parse(file.subarray(0, i)), UserError);
    for (let change = 1; change < 256; change++) {
      const changed = file.slice();
      changed[i] ^= change;
      assert.throws(() => parse(changed), UserError);
    }
  }
});

test("rates between the rate points are as in Python", () => {
  const header = { modelId: "010203", rate: 1.40625, width: 768, height: 512, coder: 0 };
  const file = pack(header, new Uint8Array(0));
  const expected = [0x44, 0x4c, 0x46, 2, 1, 2, 3, 45, 0x80, 6, 0x80, 4];
  assert.deepEqual([...file.subarray(0, -2)], expected);
  assert.deepEqual(parse(file).header, header);
});

test("large sizes survive the header", () => {
  const header = { modelId: "00ff7f", rate: 127, width: 2 ** 34, height: 128, coder: 1 };
  assert.deepEqual(parse(pack(header, new Uint8Array(0))).header, header);
});

test("any symbols survive a stream of skewed rows, with escapes and carries", () => {
  const rows = [
    row([65533, 1, 1, 1], -1, true),
    row([1, 65535], 0, false),
    row([1, 1, 65533, 1], 5, true),
  ];
  for (let seed = 0; seed < 50; seed++) {
    const random = generator(seed);
    const calls = Array.from({ length: 1 + Math.floor(random() * 4) }, () => {
      const indexes = Int16Array.from({ length: random() * 300 }, () =>
        Math.floor(random() * 4 - 1),
      );
      const symbols = Int32Array.from(indexes, (index) => {
        if (index === 1) return random() < 0.02 ? 0 : 1;
        const wild = random() < 0.05 ? Math.round((random() - 0.5) * 60000) : 0;
        return index < 0 ? 0 : wild || [-1, 0, 7][index];
      });
      return { indexes, symbols };
    });
    const encoder = new Encoder(rows);
    for (const { indexes, symbols } of calls) encoder.encode(symbols, indexes);
    const stream = encoder.finish();
    assert.ok(Math.abs(8 * stream.length - encoder.bits) <= 16);
    assert.notEqual(stream.at(-1), 0);
    const decoder = new Decoder(stream, rows);
    for (const { indexes, symbols } of calls) {
      assert.deepEqual(decoder.decode(indexes), symbols);
    }
  }
});

test("an empty stream has no bytes", () => {
  assert.equal(new Encoder(exampleRows()).finish().length, 0);
});

test("a stream outside the first interval is rejected", () => {
  const decoder = new Decoder(new Uint8Array(8).fill(255), exampleRows());
  assert.throws(() => decoder.decode(Int16Array.of(256)), UserError);
});

test("symbols outside a row without escape are rejected", () => {
  const encoder = new Encoder(exampleRows());
  const index = Int16Array.of(256);
  assert.throws(() => encoder.encode(Int32Array.of(1024), index), RangeError);
});

test("scales take the last row that starts at or below them", () => {
  const starts = Float32Array.of(0.5, 1, 2);
  const scales = [0.4, 0.5, 0.9, 1, 2, 3];
  const rows = scales.map((scale) => rowOfScale(starts, scale));
  assert.deepEqual(rows, [0, 1, 1, 2, 3, 3]);
});

test("least bits of tokens", () => {
  assert.equal(minBits([row(Array(1024).fill(64), 0, false)], 8), 80);
  const skewed = row([32768, 32767, 1], 0, false);
  assert.equal(minBits([skewed, row(Array(1024).fill(64), 0, false)], 8), 44);
});

test("layers round half up", () => {
  assert.deepEqual([-12, -4, -5, 7].map(leakyRelu(0.125)), [-1, 0, -1, 7]);
  const kernel = new Int16Array(9);
  kernel[4] = 2; // of the cell
  kernel[5] = 1; // of its right neighbour
  const filter = layer(kernel, 1, Int32Array.of(10));
  const map = depthwiseConv(filter, Float64Array.of(3, 1, -4), 1, 3);
  assert.deepEqual([...map], [14, 9, 6]);
});
