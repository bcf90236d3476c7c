// What is no model is named for what it is, with a way on.
#include "checkpoint/foreign.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "checkpoint/sample_files.h"
#include "support/error_text.h"
#include "support/gguf_file.h"
#include "support/memory_checkpoint.h"
#include "support/paths.h"
#include "support/temp_dir.h"

namespace nibble {
namespace {

using test::error_text;
using test::TempDir;

// What opening a file with these bytes says.
std::string refusal_of(std::string_view bytes) {
  const TempDir dir;
  write_file(dir / "file", bytes);
  return error_text([&] { open_checkpoint(dir / "file"); });
}

void expect_named(const std::string& text, std::string_view what) {
  EXPECT_NE(text.find(what), std::string::npos) << text;
  EXPECT_NE(text.find("\n  fix: "), std::string::npos) << text;
}

TEST(ForeignFile, TextsAreCalledTexts) {
  expect_named(refusal_of("Once upon a time there was a model.\n"), "is a text, not a model");
  expect_named(refusal_of("\xFF\xFEO\0n\0c\0e\0"), "is a text, not a model");
  expect_named(refusal_of("# Einführung\r\n\r\n日本語"), "is a text, not a model");
  expect_named(refusal_of("{\"model_type\": \"llama\"}"), "is a JSON file, not a model");
  expect_named(refusal_of("<!DOCTYPE html><html>"), "is a web page, not a model");
  expect_named(refusal_of("version https://git-lfs.example/spec/v1\noid sha256:12\n"),
               "is a Git LFS pointer");
}

// The lowest bytes of a header's length may be what a pickle begins with.
TEST(ForeignFile, HeadersOfAnyLengthAreNoPickles) {
  const test::TempDir dir;
  for (const std::size_t length : {640u, 896u, 1152u, 66176u}) {
    std::string header = R"({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}})";
    header.resize(length, ' ');
    std::string file(8, '\0');
    for (std::size_t i = 0; i < 3; ++i) file[i] = static_cast<char>(length >> (8 * i));
    write_file(dir / "model.safetensors", file + header + std::string(4, '\0'));
    EXPECT_EQ(open_checkpoint(dir / "model.safetensors")->tensors().size(), 1u) << length;
  }
}

TEST(ForeignFile, FilesOfOtherToolsAreNamed) {
  using namespace std::string_literals;
  expect_named(refusal_of("PK\3\4rest of an archive"), "is a pickle");
  expect_named(refusal_of("\x80\x04\x95rest"), "is a pickle");
  expect_named(refusal_of("tjgg\3\0\0\0"s), "is a GGML file");
  expect_named(refusal_of("\x89HDF\r\n\x1a\n"), "is an HDF5 file");
  expect_named(refusal_of("\x1f\x8b\x08rest"), "is compressed with gzip");
  expect_named(refusal_of("\x2a\0\0\0\x13\0\0\0blk.0.attn_k.weight\x80\0\0\0"s),
               "is an importance matrix (imatrix.dat)");
}

TEST(ForeignFile, AnOrdinaryFileIsLetThrough) {
  const TempDir dir;
  write_file(dir / "model.safetensors", test::valid_file());
  EXPECT_EQ(error_text([&] { open_checkpoint(dir / "model.safetensors"); }), "");
}

TEST(ForeignFolder, AnAdapterIsNamedWithItsBase) {
  const TempDir dir;
  write_file(dir / "adapter_config.json",
             R"({"peft_type": "LORA", "base_model_name_or_path": "org/base"})");
  write_file(dir / "adapter_model.safetensors", test::valid_file());
  expect_named(error_text([&] { open_checkpoint(dir.path()); }),
               "holds a LoRA adapter (PEFT) for \"org/base\", not a model");
  // A model that has one beside it is a model.
  write_file(dir / "config.json", "{}");
  EXPECT_EQ(error_text([&] { open_checkpoint(dir.path()); }), "");
}

TEST(ForeignFolder, ModelsInOtherFormsAreNamed) {
  for (const auto& [name, what] : {std::pair{"model_index.json", "an image model"},
                                   {"decoder.onnx", "an ONNX model (decoder.onnx)"},
                                   {"tf_model.h5", "a TensorFlow model"},
                                   {"qmodel.pt", "an HQQ model, as a pickle"}}) {
    const TempDir dir;
    write_file(dir / name, "x");
    expect_named(error_text([&] { open_checkpoint(dir.path()); }), what);
  }
}

NamedBytes named(const std::string& name) {
  return {{name, DType::kF32, {1}, 4}, std::vector<std::byte>(4)};
}

TEST(ForeignTensors, TellWhichToolWroteThem) {
  const auto refusal = [](std::vector<NamedBytes> tensors) {
    const test::MemoryCheckpoint checkpoint(std::move(tensors));
    return error_text([&] { refuse_foreign_tensors(checkpoint); });
  };
  expect_named(refusal({named("a.lora_A.weight"), named("a.lora_B.weight")}),
               "holds a LoRA adapter, not a model");
  EXPECT_EQ(refusal({named("q_proj.weight")}), "");
}

TEST(ForeignQuantization, EachMethodIsNamed) {
  const auto refusal = [](const Json& config) {
    return error_text([&] { refuse_foreign_quantization(config); });
  };
  expect_named(refusal({{"quant_method", "eetq"}}), "the model is quantized with EETQ");
  expect_named(refusal({{"quant_method", "sorcery"}}), "not known here, \"sorcery\"");
  expect_named(refusal(Json::object()), "does not say which method");
}

// Real files of other tools, where they lie beside the repository.
TEST(ForeignPeers, RealFilesAreNamed) {
  const fs::path peers = fs::path(kSourceFolder).parent_path() / "shared/peers";
  if (!fs::exists(peers)) GTEST_SKIP() << peers;
  const auto refusal = [&](const char* name) {
    return error_text([&] { refuse_foreign_tensors(*open_checkpoint(peers / name)); });
  };
  expect_named(refusal("ref8m-lora-r8"), "a LoRA adapter (PEFT) for \"ref8m\"");
  expect_named(refusal("ref8m-lora-r8/adapter_model.safetensors"), "holds a LoRA adapter");
  expect_named(refusal("gguf/ref8m-imatrix.gguf"), "is an importance matrix (imatrix)");
  expect_named(refusal("gguf/ref8m-imatrix.dat"), "is an importance matrix (imatrix.dat)");
  EXPECT_EQ(refusal("ref8m-gptq-4-128-sym"), "");
  EXPECT_EQ(refusal("gguf/ref8m-Q4_0.gguf"), "");
}

}  // namespace
}  // namespace nibble
