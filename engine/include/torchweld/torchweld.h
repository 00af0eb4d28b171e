// Everything a program needs: `#include <torchweld/torchweld.h>`.
#pragma once

#include "torchweld/engine.h"
#include "torchweld/error.h"
#include "torchweld/explanation.h"
#include "torchweld/options.h"
