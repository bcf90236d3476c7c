// Writes a GGUF file, or one in parts: NAME.partial until all are complete.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "checkpoint/model_writer.h"

namespace nibble {

// The model comes from `output.gguf`; file_type is what most of its weights are, in the numbers of
// general.file_type; none: the model says it already. With `options.max_part_bytes` the tensors of
// a file take no more, unless it is one alone, and the files are called NAME-00001-of-00003.gguf
// where one is not enough; the first has the metadata. Throws kInvalidArgument when a file to be
// written is a folder or exists and is not to be replaced; kResource as AtomicFile does.
std::unique_ptr<ModelWriter> create_gguf(const std::filesystem::path& target,
                                         const OutputModel& output,
                                         std::optional<std::uint32_t> file_type,
                                         const OutputOptions& options);

// A file of any kind, whose pairs say all there is. An existing one is replaced.
std::unique_ptr<ModelWriter> create_gguf_file(const std::filesystem::path& target, GgufModel model,
                                              std::uint64_t passport_bytes,
                                              std::uint64_t max_part_bytes = 0);

// Products of inputs as nibble calibrate keeps them. They lie in an imatrix; what tells them apart
// stands in its passport.
inline constexpr std::string_view kStatisticsKind = "statistics";
inline constexpr std::string_view kStatisticsMark = "nibble.statistics/";

// What create_gguf would say of a target that is one file of such a kind ("general.type", or
// kStatisticsKind); writes nothing.
void check_gguf_target(const std::filesystem::path& target, const OutputModel& output,
                       const OutputOptions& options, std::string_view kind = "model");
// The model, after all that create_gguf would refuse; writes nothing.
GgufModel checked_gguf(const std::filesystem::path& target, const OutputModel& output,
                       const OutputOptions& options);

// SHA-256 over the bytes of all tensors in the order of their names: what the passport of a single
// file has in "tensors_sha256".
std::string tensors_sha256(const CheckpointReader& reader);

}  // namespace nibble
