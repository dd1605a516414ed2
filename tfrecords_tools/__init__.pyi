from .packing.pack import pack
from .packing.video_packer import PackOptions
from .records.reader import PackedCorpus, open_corpus
from .records.verify import verify
from .sample.sample_corpus import write_sample

__all__ = ["PackOptions", "PackedCorpus", "open_corpus", "pack", "verify", "write_sample"]
