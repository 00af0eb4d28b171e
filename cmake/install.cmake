# `cmake --install` and what find_package(Torchweld) reads.
include(CMakePackageConfigHelpers)

set(config_folder ${CMAKE_INSTALL_LIBDIR}/cmake/Torchweld)
set_target_properties(torchweld PROPERTIES
  INSTALL_RPATH "$ORIGIN" INSTALL_RPATH_USE_LINK_PATH ON)
install(TARGETS torchweld EXPORT TorchweldTargets)
install(DIRECTORY engine/include/ TYPE INCLUDE)
install(EXPORT TorchweldTargets NAMESPACE torchweld:: DESTINATION ${config_folder})

configure_package_config_file(cmake/TorchweldConfig.cmake.in
  "${PROJECT_BINARY_DIR}/TorchweldConfig.cmake" INSTALL_DESTINATION ${config_folder})
write_basic_package_version_file("${PROJECT_BINARY_DIR}/TorchweldConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES
  "${PROJECT_BINARY_DIR}/TorchweldConfig.cmake"
  "${PROJECT_BINARY_DIR}/TorchweldConfigVersion.cmake"
  cmake/LibTorch.cmake
  DESTINATION ${config_folder})

if(TARGET torchweld_program)
  set_target_properties(torchweld_program PROPERTIES
    INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}" INSTALL_RPATH_USE_LINK_PATH ON)
  install(TARGETS torchweld_program)
endif()
