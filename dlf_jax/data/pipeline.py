"""Reproducible training batches: random crops of photos."""

import grain

from dlf_jax.data.crops import CropConfig, random_crop
from dlf_jax.data.photos import Photos
from dlf_jax.errors import UserError


def train_batches(
    photos: Photos,
    config: CropConfig,
    *,
    batch_size: int,
    seed: int,
    process_index: int = 0,
    num_processes: int = 1,
    num_threads: int = 1,
) -> grain.DatasetIterator:
    """Endless training batches, independent of the number of threads and processes.

    Process p of n gets rows p B to (p + 1) B of the global batch of n B crops.  Every
    pass over the photos has a new order and new crops.

    Args:
      photos: decoded photos.
      config: settings of the crops.
      batch_size: crops per batch of this process, B.
      seed: seed of order, crops, scales and flips.
      process_index, num_processes: share of every global batch to return.
      num_threads: threads that decode and crop ahead, each a batch at a time.

    Returns:
      Iterator over uint8 arrays [B S S 3].  `get_state()` returns a small dictionary;
      `set_state()` of an iterator with the same arguments resumes there.

    Raises:
      UserError: `photos` is empty.
    """
    if not len(photos):
        raise UserError("no photos are left to train on: name more with --config.data")
    crops = (
        grain.MapDataset.source(photos)
        .seed(seed)
        .shuffle()
        .repeat()
        .random_map(lambda photo, rng: random_crop(photo, config, rng))
    )
    options = grain.ReadOptions(
        num_threads=num_threads, prefetch_buffer_size=2 * num_threads
    )
    # Endless data have no remainder, but its index overflows where B is 1.
    batches = crops.batch(batch_size, drop_remainder=True)
    share = batches[process_index::num_processes]
    return iter(share.to_iter_dataset(options))
