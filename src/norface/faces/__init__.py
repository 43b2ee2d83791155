"""From pictures to aligned faces: detection, choice of the face, preparation of whole data sets."""
