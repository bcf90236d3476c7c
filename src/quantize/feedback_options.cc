#include "quantize/feedback_options.h"

#include <array>

namespace nibble {
namespace {

constexpr std::array<std::string_view, 1> kAuto = {kDecided};

}  // namespace

extern const OptionSpec kDampingOption{.name = "damping",
                                       .help = "share of the mean diagonal added to the Hessian",
                                       .initial = "0.01",
                                       .lowest = 0,
                                       .highest = 10};

extern const OptionSpec kDriftShareOption{
    .name = "drift-correction",
    .help =
        "share of what earlier layers lost that a layer's weights make up for; auto takes 0.3, "
        "with --scales absmax 0",
    .initial = kDecided,
    .words = kAuto,
    .lowest = 0,
    .highest = 1};

extern const OptionSpec kDriftSamplesOption{
    .name = "drift-samples",
    .help = "calibration windows that show what earlier layers lost; auto takes half of them",
    .initial = kDecided,
    .words = kAuto,
    .lowest = 1,
    .highest = 1e9,
    .whole = true};

}  // namespace nibble
