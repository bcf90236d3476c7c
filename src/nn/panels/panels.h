// A weight matrix in panels (kernels/panel_types.h): what products with rows rounded to bytes read,
// the fast path of every packed layer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "formats/block_format.h"
#include "formats/slot_order.h"
#include "formats/stored_codes.h"
#include "kernels/kernels.h"

namespace nibble {

class Panels {
 public:
  // Room for rows × (units · blocks_per_unit · 32) weights; rows are padded to whole panels.
  Panels(PanelType type, std::size_t rows, std::size_t units, std::size_t blocks_per_unit);

  PanelType type() const { return type_; }
  std::size_t rows() const { return rows_; }
  std::size_t blocks() const { return units_ * blocks_per_unit_; }
  std::size_t panels() const { return (rows_ + kPanelRows - 1) / kPanelRows; }
  std::size_t bytes() const { return panels() * panel_bytes_; }
  std::size_t unit_bytes() const { return panel_bytes_ / units_; }
  std::uint8_t* panel(std::size_t index) { return bytes_.get() + index * panel_bytes_; }
  PanelRows view() const;

 private:
  struct Free {
    void operator()(std::uint8_t* bytes) const;
  };
  PanelType type_;
  std::size_t rows_, units_, blocks_per_unit_, panel_bytes_;
  std::unique_ptr<std::uint8_t[], Free> bytes_;
};

// Is there a panel form for these blocks? Others are decoded whenever they are multiplied.
bool has_panels(const BlockFormat& format);
// Rows of a GGUF block format; output r reads stored row row_of[r] (empty: r). Null when the format
// has no panel form or its blocks do not fill whole units.
std::unique_ptr<Panels> panels_of(const BlockFormat& format, const std::uint8_t* rows,
                                  std::size_t outputs, std::size_t inputs,
                                  std::span<const std::uint32_t> row_of);

// Codes, in slot order; `order` is that of their shape. Null when a scale or zero is no float16.
std::unique_ptr<Panels> panels_of(const StoredCodes& stored, const SlotOrder& order);

}  // namespace nibble
