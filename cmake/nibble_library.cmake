# The contract of include/nibble as one shared library, and what `cmake --install` puts where. Users
# need no package of ours but this: what the modules link stays inside.
#   find_package(nibble REQUIRED)
#   target_link_libraries(program PRIVATE nibble::nibble)
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# The modules that implement a public header are there with all their objects; of the others the
# linker takes what it needs.
set(contract base tokenizer session quantize evaluate)
list(TRANSFORM contract PREPEND nibble_ OUTPUT_VARIABLE modules)
list(TRANSFORM modules REPLACE "(.+)" "$<TARGET_OBJECTS:\\1>" OUTPUT_VARIABLE objects)
add_library(nibble_library SHARED ${objects})
target_link_libraries(nibble_library PRIVATE ${modules})
target_include_directories(nibble_library INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_compile_features(nibble_library INTERFACE cxx_std_20)
# Nothing of src/ can be called, so that it may change any day.
set(symbols ${PROJECT_SOURCE_DIR}/cmake/contract.map)
target_link_options(nibble_library PRIVATE LINKER:--version-script=${symbols})
set_target_properties(nibble_library PROPERTIES OUTPUT_NAME nibble EXPORT_NAME nibble
  VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
  LINK_DEPENDS ${symbols})

install(TARGETS nibble)
install(TARGETS nibble_library EXPORT nibble)
# Three headers are older than the contract and used inside only.
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/nibble DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  PATTERN checkpoint.h EXCLUDE PATTERN dtype.h EXCLUDE PATTERN tensor.h EXCLUDE)
set(package ${CMAKE_INSTALL_LIBDIR}/cmake/nibble)
install(EXPORT nibble NAMESPACE nibble:: FILE nibbleConfig.cmake DESTINATION ${package})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/nibbleConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/nibbleConfigVersion.cmake DESTINATION ${package})
