"""From a run folder to tables, pictures and one self-contained HTML page; reads files, trains and computes nothing."""
