"""Training batches: random crops of photos, the same whatever prepares them."""

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
    """Endless batches, a function of the arguments above the threads only.

    The crops of a step are those of one process with the whole batch: process p of n
    has rows p B to (p + 1) B of them.  Every pass over the photos has its own order
    and crops.

    Args:
      photos: decoded photos.
      config: cropping.
      batch_size: crops a batch, B, of this process.
      seed: decides order, crops, scales and flips.
      process_index, num_processes: which share of every step is wanted.
      num_threads: threads that decode and crop ahead, each a batch at a time.

    Returns:
      Iterator over uint8 arrays [B S S 3].  Its `get_state()` is a small dictionary
      that `set_state()` of an iterator made with the same arguments continues from.

    Raises:
      UserError: there are no photos.
    """
    if not len(photos):
        raise UserError("no photos are left to train on")
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
    # There is no remainder, but its place would not fit an index where B is 1.
    batches = crops.batch(batch_size, drop_remainder=True)
    share = batches[process_index::num_processes]
    return iter(share.to_iter_dataset(options))
