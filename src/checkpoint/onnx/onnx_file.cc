// The messages of onnx.proto3 whose fields are used here, in its numbers.
#include "checkpoint/onnx/onnx_file.h"

#include <set>

#include "base/text.h"
#include "checkpoint/onnx/protobuf.h"
#include "nibble/error.h"

namespace nibble {
namespace {

constexpr std::int64_t kFormatVersion = 10;     // "IR version"
constexpr std::int64_t kOperatorsVersion = 23;  // the first with RMSNormalization

struct ModelField {
  enum { kIrVersion = 1, kProducer = 2, kProducerVersion = 3, kGraph = 7, kOperatorSet = 8 };
};
struct OperatorSetField {
  enum { kDomain = 1, kVersion = 2 };
};
struct GraphField {
  enum { kNode = 1, kName = 2, kInitializer = 5, kInput = 11, kOutput = 12 };
};
struct NodeField {
  enum { kInput = 1, kOutput = 2, kName = 3, kOperator = 4, kAttribute = 5, kDomain = 7 };
};
struct AttributeField {
  enum { kName = 1, kFloat = 2, kInt = 3, kString = 4, kInts = 8, kType = 20 };
};
struct AttributeType {
  enum { kFloat = 1, kInt = 2, kString = 3, kInts = 7 };
};
struct TensorField {
  enum { kDims = 1, kType = 2, kName = 8, kRawData = 9, kExternalData = 13, kLocation = 14 };
};
struct EntryField {
  enum { kKey = 1, kValue = 2 };
};
struct ValueField {
  enum { kName = 1, kType = 2 };
};
struct TypeField {
  enum { kTensor = 1 };
};
struct TensorTypeField {
  enum { kElement = 1, kShape = 2 };
};
struct ShapeField {
  enum { kDim = 1 };
};
struct DimField {
  enum { kValue = 1, kParameter = 2 };
};

std::int64_t element_type(DType type) {
  switch (type) {
    case DType::kF32:
      return 1;
    case DType::kU8:
      return 2;
    case DType::kI32:
      return 6;
    case DType::kI64:
      return 7;
    case DType::kF16:
      return 10;
    case DType::kBF16:
      return 16;
    default:
      throw Error(ErrorKind::kUnsupported, cat("tensors of ", name(type), " in an ONNX file"));
  }
}

ProtobufMessage attribute(const OnnxAttribute& attribute) {
  ProtobufMessage out;
  out.text(AttributeField::kName, attribute.name);
  if (const auto* number = std::get_if<std::int64_t>(&attribute.value)) {
    out.integer(AttributeField::kInt, *number);
    out.integer(AttributeField::kType, AttributeType::kInt);
  } else if (const auto* real = std::get_if<float>(&attribute.value)) {
    out.real(AttributeField::kFloat, *real);
    out.integer(AttributeField::kType, AttributeType::kFloat);
  } else if (const auto* text = std::get_if<std::string>(&attribute.value)) {
    out.text(AttributeField::kString, *text);
    out.integer(AttributeField::kType, AttributeType::kString);
  } else {
    for (const std::int64_t one : std::get<std::vector<std::int64_t>>(attribute.value))
      out.integer(AttributeField::kInts, one);
    out.integer(AttributeField::kType, AttributeType::kInts);
  }
  return out;
}

// Tools tell nodes apart by name; the first output's is as good as any.
ProtobufMessage node(const OnnxNode& node) {
  ProtobufMessage out;
  for (const std::string& input : node.inputs) out.text(NodeField::kInput, input);
  for (const std::string& output : node.outputs) out.text(NodeField::kOutput, output);
  out.text(NodeField::kName, node.outputs.front());
  out.text(NodeField::kOperator, node.op);
  for (const OnnxAttribute& one : node.attributes)
    out.message(NodeField::kAttribute, attribute(one));
  if (!node.domain.empty()) out.text(NodeField::kDomain, node.domain);
  return out;
}

ProtobufMessage value(const OnnxValue& value) {
  ProtobufMessage shape;
  for (const auto& size : value.shape) {
    ProtobufMessage dim;
    if (const auto* number = std::get_if<std::int64_t>(&size))
      dim.integer(DimField::kValue, *number);
    else
      dim.text(DimField::kParameter, std::get<std::string>(size));
    shape.message(ShapeField::kDim, dim);
  }
  const ProtobufMessage tensor = ProtobufMessage()
                                     .integer(TensorTypeField::kElement, element_type(value.type))
                                     .message(TensorTypeField::kShape, shape);
  return ProtobufMessage()
      .text(ValueField::kName, value.name)
      .message(ValueField::kType, ProtobufMessage().message(TypeField::kTensor, tensor));
}

ProtobufMessage tensor(const TensorInfo& info) {
  ProtobufMessage out;
  for (const std::int64_t size : info.shape) out.integer(TensorField::kDims, size);
  out.integer(TensorField::kType, element_type(info.dtype));
  out.text(TensorField::kName, info.name);
  return out;
}

ProtobufMessage placed(const OnnxPlace& place, std::string_view data_file) {
  ProtobufMessage out = tensor(place.info);
  const auto entry = [&](std::string_view key, std::string_view value) {
    out.message(TensorField::kExternalData,
                ProtobufMessage().text(EntryField::kKey, key).text(EntryField::kValue, value));
  };
  entry("location", data_file);
  entry("offset", std::to_string(place.offset));
  entry("length", std::to_string(place.info.bytes));
  return out.integer(TensorField::kLocation, 1);  // external
}

std::string_view view(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

ProtobufMessage operator_set(std::string_view domain, std::int64_t version) {
  return ProtobufMessage()
      .text(OperatorSetField::kDomain, domain)
      .integer(OperatorSetField::kVersion, version);
}

}  // namespace

std::string onnx_file(const OnnxModel& model, std::span<const OnnxPlace> places,
                      std::string_view data_file) {
  ProtobufMessage graph;
  std::set<std::string> domains;
  for (const OnnxNode& one : model.nodes) {
    graph.message(GraphField::kNode, node(one));
    if (!one.domain.empty()) domains.insert(one.domain);
  }
  graph.text(GraphField::kName, "decoder");
  for (const OnnxPlace& place : places)
    graph.message(GraphField::kInitializer, placed(place, data_file));
  for (const OnnxModel::Own& own : model.own)
    if (own.in_graph)
      graph.message(GraphField::kInitializer,
                    tensor(own.info).text(TensorField::kRawData, view(own.bytes)));
  for (const OnnxValue& one : model.inputs) graph.message(GraphField::kInput, value(one));
  for (const OnnxValue& one : model.outputs) graph.message(GraphField::kOutput, value(one));
  ProtobufMessage file;
  file.integer(ModelField::kIrVersion, kFormatVersion)
      .text(ModelField::kProducer, "nibble")
      .text(ModelField::kProducerVersion, NIBBLE_VERSION)
      .message(ModelField::kGraph, graph)
      .message(ModelField::kOperatorSet, operator_set("", kOperatorsVersion));
  for (const std::string& domain : domains)
    file.message(ModelField::kOperatorSet, operator_set(domain, 1));
  return file.bytes();
}

}  // namespace nibble
