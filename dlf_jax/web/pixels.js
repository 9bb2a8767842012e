/** Conversion between the pixels of a canvas and those of the networks. */

/**
 * RGB pixels of an image, its last column and row repeated up to another size.
 *
 * @param {Uint8ClampedArray} rgba
 * @param {{width: number, height: number}} image
 * @param {{width: number, height: number}} padded
 */
export function padded(rgba, image, padded) {
  const rgb = new Uint8Array(3 * padded.width * padded.height);
  let to = 0;
  for (let row = 0; row < padded.height; row++) {
    const start = Math.min(row, image.height - 1) * image.width;
    for (let column = 0; column < padded.width; column++) {
      const from = 4 * (start + Math.min(column, image.width - 1));
      rgb[to++] = rgba[from];
      rgb[to++] = rgba[from + 1];
      rgb[to++] = rgba[from + 2];
    }
  }
  return rgb;
}

/** RGBA pixels of the top left part of an image; inverse of `padded`. */
export function cropped(rgb, padded, image) {
  const rgba = new Uint8ClampedArray(4 * image.width * image.height);
  let to = 0;
  for (let row = 0; row < image.height; row++) {
    let from = 3 * row * padded.width;
    for (let column = 0; column < image.width; column++) {
      rgba[to++] = rgb[from++];
      rgba[to++] = rgb[from++];
      rgba[to++] = rgb[from++];
      rgba[to++] = 255;
    }
  }
  return rgba;
}
