// SPDX-License-Identifier: Apache-2.0
#include <rados/librados.h>
