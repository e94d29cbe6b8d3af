//! Reference -> Facts: the only place that joins I/O and analysis.
