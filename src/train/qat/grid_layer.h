// A linear layer on a grid that is trained (quantization-aware training): it computes with its
// codes as a reader of the file will, and its gradients go straight through the rounding (Bengio et
// al. 2013, arXiv 1308.3432).
//
// Of a group with the stored scale s, a weight is trained as u = w / (s·step), in steps of its
// grid: one learning rate then suits layers of any size. Scales are trained as factors of what they
// were. Nothing is cut off by the ends of the grid: what would go beyond them is brought back.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "nn/linear.h"
#include "quantize/layer/rounder.h"
#include "train/adamw.h"
#include "train/gradients.h"

namespace nibble {

struct GridTraining {
  bool weights = true;       // else the codes stay as they are
  bool scales = true;        // where each can be stored alone
  double weight_rate = 0.5;  // of the learning rate of scales
};

// Can scales be trained in such a storage? Not where they are found together with the codes, or
// several rows share one.
bool scales_are_trained(const Storable& storable, const GridTraining& training);

class GridLayer final : public LayerGradient {
 public:
  // `codes`: where training begins and what it leaves behind; lives as long as this. Weights begin
  // halfway between what their codes stand for and the nearest to `original`'s that round to them:
  // methods that feed errors back have left many on the border of two codes, where chance would
  // turn them, and in the middle all would turn at once. Of grids of dimension 1 whose groups lie
  // in order.
  GridLayer(const Linear& original, Codes& codes, const Storable& storable, const Options& options,
            const GridTraining& training);
  ~GridLayer() override;

  // Its parameters, named after `module`; their values lie in this. At most once.
  void add_parameters(const std::string& module, std::vector<Parameter>& parameters);
  // Where those lie in the list, which has found its place.
  void bind(std::span<Parameter> parameters);
  // Codes and scales for what the parameters have become.
  void refresh();
  // What the model has in the original's place.
  std::unique_ptr<Linear> linear() const;

  void add(ConstMatrix x, ConstMatrix dy, Compute compute) override;

 private:
  void begin_units(const Linear& original);
  void refresh_scales();
  void round_row(std::size_t row);

  Codes& codes_;
  std::unique_ptr<Rounder> rounder_;
  GridTraining training_;
  float step_ = 1;  // between two values of the grid, of scale 1
  std::vector<float> bias_;
  std::vector<float> units_;    // [rows, columns]; empty: codes stay
  std::vector<float> first_;    // [rows, groups]: the scales at first
  std::vector<float> factors_;  // [rows, groups]; empty: scales stay
  std::size_t parameter_ = 0;   // the first of its own in the list
  std::span<float> unit_gradient_, factor_gradient_;
};

}  // namespace nibble
