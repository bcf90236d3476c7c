// The stop flag. A signal is raised in a process of its own.
#include "base/progress.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "nibble/error.h"

namespace nibble {
namespace {

int stopped_by_signal() {
  std::signal(SIGINT, [](int) { request_stop(); });
  throw_if_stopped();
  std::raise(SIGINT);
  try {
    throw_if_stopped();
  } catch (const Error& error) {
    return error.kind() == ErrorKind::kInterrupted ? 42 : 1;
  }
  return 2;
}

TEST(Stop, IsSeenAtTheNextStepAfterTheSignal) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) _exit(stopped_by_signal());
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 42);
}

TEST(Stop, IsForgottenWhenAsked) {
  request_stop();
  EXPECT_THROW(throw_if_stopped(), Error);
  EXPECT_THROW(throw_if_stopped(), Error);  // it stays until it is forgotten
  forget_stop_request();
  EXPECT_NO_THROW(throw_if_stopped());
}

}  // namespace
}  // namespace nibble
