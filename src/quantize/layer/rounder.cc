#include "quantize/layer/rounder.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "base/text.h"
#include "nibble/error.h"
#include "quantize/layer/rounders.h"

namespace nibble {
namespace {

constexpr std::array<std::string_view, 3> kSearches = {"absmax", "mse", "weighted"};
constexpr std::array<std::string_view, 6> kSymmetries = {"asymmetric", "plain", "full-range",
                                                         "signed",     "auto",  "none"};
// "none" is the answer for codebooks, not a choice.
constexpr std::span<const std::string_view> kChoices(kSymmetries.data(), 5);

template <std::size_t Count>
std::size_t index_of(const std::array<std::string_view, Count>& words, const std::string& word) {
  return static_cast<std::size_t>(std::find(words.begin(), words.end(), word) - words.begin());
}

// Blocks leave no choice of zeros, and some none of scales.
void require_scales_of(const BlockFormat& blocks, const Options& options) {
  if (blocks.joint() && textbook_scales(options))
    throw Error(ErrorKind::kInvalidArgument,
                cat("--scales absmax: scales of ", blocks.name, " blocks are found together"),
                "leave it out");
  if (!options.has("symmetry") || !options.decided("symmetry")) return;
  const bool asked_free = options.text("symmetry") == "asymmetric";
  if (asked_free == blocks.free_zeros) return;
  throw Error(ErrorKind::kInvalidArgument,
              cat("blocks of ", blocks.name,
                  blocks.free_zeros ? " have a zero for each group" : " have no zeros of their own",
                  ": --symmetry ", options.text("symmetry"), " does not fit"),
              "leave it out, or choose another type");
}

}  // namespace

extern const OptionSpec kScalesOption{
    .name = "scales",
    .help = "scale search: absmax (the extremes), mse, or weighted by the inputs",
    .initial = "weighted",
    .words = kSearches};

extern const OptionSpec kSymmetryOption{
    .name = "symmetry",
    .help =
        "of uniform grids: asymmetric (a zero for each group), plain, full-range or signed; auto "
        "takes signed, with --scales absmax plain",
    .initial = kDecided,
    .words = kChoices};

GroupParams Rounder::refit(const GroupView& group, std::span<const Code> codes,
                           GroupParams params) const {
  std::array<float, kMaxDimension> units;
  double products = 0, squares = 0;
  for (std::size_t i = 0, code = 0; i < group.weights.size(); i += grid_.dimension, ++code) {
    grid_.values(codes[code], {1, params.zero}, units.data());
    for (std::size_t k = 0; k < grid_.dimension; ++k) {
      const double q = units[k], share = group.importance.empty() ? 1.0 : group.importance[i + k];
      products += share * q * group.weights[i + k];
      squares += share * q * q;
    }
  }
  if (squares > 0 && products != 0)
    params.scale = stored_scale(static_cast<float>(products / squares));
  return params;
}

void Rounder::round(std::span<const float> weights, GroupParams params,
                    std::span<Code> codes) const {
  for (std::size_t i = 0, code = 0; i < weights.size(); i += grid_.dimension, ++code)
    codes[code] = nearest(weights.data() + i, params);
}

float Rounder::stored_scale(float scale) const { return storable_.nearest_scale(scale); }

std::unique_ptr<Rounder> make_rounder(const Grid& grid, const Storable& storable, Symmetry symmetry,
                                      ScaleSearch search) {
  return grid.uniform() ? uniform_rounder(grid, storable, symmetry, search)
                        : codebook_rounder(grid, storable, search);
}

std::unique_ptr<Rounder> make_rounder(const Grid& grid, const Storable& storable,
                                      const Options& options) {
  const std::size_t symmetry =
      options.has("symmetry") ? index_of(kSymmetries, options.text("symmetry")) : 0;
  const std::size_t search =
      options.has("scales") ? index_of(kSearches, options.text("scales")) : 0;
  return make_rounder(grid, storable, static_cast<Symmetry>(symmetry),
                      static_cast<ScaleSearch>(search));
}

bool textbook_scales(const Options& options) {
  return options.has("scales") && options.text("scales") == "absmax";
}

void decide_symmetry(const Grid& grid, const Storable& storable, Options& options) {
  if (storable.blocks != nullptr) require_scales_of(*storable.blocks, options);
  if (!options.has("symmetry")) return;
  if (!storable.free_zeros && options.decided("symmetry") &&
      options.text("symmetry") == "asymmetric")
    throw Error(ErrorKind::kInvalidArgument,
                "--symmetry asymmetric: this layout has no zeros of groups",
                "leave it out, or choose another --layout (nibble formats lists them)");
  static const OptionSpec answers{
      .name = "symmetry", .help = {}, .initial = {}, .words = kSymmetries};
  if (!grid.free_zeros()) {
    if (options.decided("symmetry"))
      throw Error(ErrorKind::kInvalidArgument,
                  "--symmetry, --sym and --asym are for uniform grids; " + std::string(grid.name) +
                      " has no zero to choose",
                  "leave it out");
    options.set(answers, "none");
  } else if (!options.decided("symmetry")) {
    const bool free = storable.blocks != nullptr && storable.blocks->free_zeros;
    options.set(answers, free ? "asymmetric" : textbook_scales(options) ? "plain" : "signed");
  }
}

}  // namespace nibble
