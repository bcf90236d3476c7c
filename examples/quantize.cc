// Quantizes a folder and says which modules lost most: quantize MODEL OUT [TEXT]
#include <nibble/nibble.h>

#include <algorithm>
#include <cstdio>

int main(int count, char** arguments) {
  if (count < 3 || count > 4) {
    std::fprintf(stderr, "usage: quantize MODEL OUT [TEXT]\n");
    return 2;
  }
  nibble::QuantizeJob job;
  job.samples = 16;
  if (count == 4) job.calibration = {{arguments[3]}};
  job.log = [](std::string_view line) {
    std::fprintf(stderr, "%.*s\n", static_cast<int>(line.size()), line.data());
  };
  job.module_done = [](const nibble::QuantizedModule& module, std::size_t done, std::size_t total) {
    std::fprintf(stderr, "%zu/%zu %s\n", done, total, module.name.c_str());
  };
  try {
    nibble::QuantizeOutcome made = nibble::quantize(arguments[1], arguments[2], job);
    std::printf("%.2f bits a weight, %.1f MB -> %.1f MB\n", made.bits_per_weight,
                static_cast<double>(made.input_bytes) / 1e6,
                static_cast<double>(made.output_bytes) / 1e6);
    std::sort(made.modules.begin(), made.modules.end(), [](const auto& a, const auto& b) {
      return a.output_error.value_or(a.weight_error) > b.output_error.value_or(b.weight_error);
    });
    for (std::size_t i = 0; i < std::min<std::size_t>(3, made.modules.size()); ++i)
      std::printf("%s lost %.2f %%\n", made.modules[i].name.c_str(),
                  100 * made.modules[i].output_error.value_or(made.modules[i].weight_error));
    return 0;
  } catch (const nibble::Error& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
}
