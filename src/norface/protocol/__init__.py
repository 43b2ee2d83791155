"""Protocols: many trainings that differ in variant, fold, seed and people, and what they show together."""
