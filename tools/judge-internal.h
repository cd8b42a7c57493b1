/*
 * The parts of the judge; see their files
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TOOLS_JUDGE_INTERNAL_H
#define TOOLS_JUDGE_INTERNAL_H

#include "judge-reasons.h"

void judge_cpus(Judge *j);
void judge_caps(Judge *j);
void judge_sections(Judge *j);
void judge_ram(Judge *j);
void judge_interrupts(Judge *j);

#endif /* TOOLS_JUDGE_INTERNAL_H */
