"""Google Landmarks v2 as it is published: metadata, labels, names, image archives, download."""

from mgld.gldv2.archives import ImageEntry, ImageShard, find_archives, iter_images, read_image
from mgld.gldv2.catalog import Catalog, read_catalog
from mgld.gldv2.decode import DecodedImage, ImageError, decode_image
from mgld.gldv2.labels import LABEL_KIND, LABELS
from mgld.gldv2.names import landmark_name

__all__ = [
    "LABELS",
    "LABEL_KIND",
    "Catalog",
    "DecodedImage",
    "ImageEntry",
    "ImageError",
    "ImageShard",
    "decode_image",
    "find_archives",
    "iter_images",
    "landmark_name",
    "read_catalog",
    "read_image",
]
