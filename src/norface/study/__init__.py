"""Studies: normalizers that differ in some settings, each judged by the gate, and what they show together."""
