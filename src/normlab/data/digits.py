"""The 8×8 handwritten digits inside scikit-learn: no download at all."""

import numpy as np

from normlab.data.images import Arrays, ImageSet


def embedded() -> Arrays:
    """1,437 training and 360 test images, in a fixed stratified split (the data set has none of its own).

    Grey levels 0…16 are stored as they are.
    """
    from sklearn.datasets import load_digits  # here, since most of what reads results never asks for images
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    images = digits.images.astype(np.uint8)[:, None]
    labels = digits.target.astype(np.uint8)
    train, test = train_test_split(np.arange(len(labels)), test_size=360, stratify=labels, random_state=0)
    return Arrays(images[train], labels[train], images[test], labels[test])


DIGITS = ImageSet(
    name="digits",
    title="digits (8×8)",
    shape=(1, 8, 8),
    classes=10,
    mean=(4.886134,),
    std=(6.017907,),
    digest="7708343d578ce9510108df8e48071320d056e97756867f8cad9a2427cc5b2325",
    embedded=embedded,
    white=16.0,
)
