"""Faces of ICT-FaceKit, a linear face model whose files the user brings. See `FaceKitFaces`."""
