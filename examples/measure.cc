// How well a model predicts a text, and how far a second one is from it: measure MODEL TEXT [OTHER]
#include <nibble/nibble.h>

#include <cstdio>

int main(int count, char** arguments) {
  if (count < 3 || count > 4) {
    std::fprintf(stderr, "usage: measure MODEL TEXT [OTHER]\n");
    return 2;
  }
  nibble::MeasureOptions options;
  options.protocol = "gptq-128";
  options.windows = 8;
  options.log = [](std::string_view line) {
    std::fprintf(stderr, "%.*s\n", static_cast<int>(line.size()), line.data());
  };
  try {
    if (count == 3) {
      const auto result = nibble::measure_perplexity(arguments[1], arguments[2], options);
      std::printf("perplexity %.3f +- %.3f over %zu tokens (%s)\n", result.perplexity,
                  result.standard_error, result.scope.tokens, result.scope.protocol.c_str());
    } else {
      const auto result = nibble::compare_models(arguments[1], arguments[3], arguments[2], options);
      std::printf("divergence %.5f nats, the same first choice at %.1f %% of %zu positions\n",
                  result.mean_kl, 100 * result.top1, result.scope.tokens);
    }
    return 0;
  } catch (const nibble::Error& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
}
