"""Pre-training of the encoder without labels: a masked autoencoder on the faces of any table."""

from norface.pretraining.autoencoder import MaskedAutoencoder
from norface.pretraining.loss import masked_patch_loss
from norface.pretraining.masking import Mask, random_mask
from norface.pretraining.patches import from_patches, standard_patches, to_patches
from norface.pretraining.preview import ReconstructionGrid
from norface.pretraining.task import MaskedAutoencoderTask

__all__ = [
    "Mask",
    "MaskedAutoencoder",
    "MaskedAutoencoderTask",
    "ReconstructionGrid",
    "from_patches",
    "masked_patch_loss",
    "random_mask",
    "standard_patches",
    "to_patches",
]
