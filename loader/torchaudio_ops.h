// torchaudio's operators of recursive filters (lfilter, and with it every biquad; overdrive), for
// processes where torchaudio's own library isn't loaded. The filters' kernel:
// kernels/recursive_filter.h.
#pragma once

namespace torchweld {

/// Registers torchaudio::_lfilter_core_loop, which archives of torchaudio 2.9 and later ask for,
/// _lfilter, which those before it do (inference), and _overdrive_core_loop, each only if nobody
/// has; then does nothing.
///
/// Devices  the host
/// Threads  safe from any.
/// Source   torchaudio 2.11, behaviour compared on recorded outputs.
void register_torchaudio_operators();

}  // namespace torchweld
