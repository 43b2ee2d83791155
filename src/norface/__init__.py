"""norface: facial expression analysis that first removes what is not expression.

An open implementation of the idea of Norface (Liu et al., ECCV 2024). A normalizer maps every face to one common
identity, frontal pose and fixed background with its expression unchanged; a mixture-of-experts classifier reads the
original and the normalized face together.
"""

__version__ = "0.1.0"
