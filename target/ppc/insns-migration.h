/*
 * PowerPC instruction groups in the migration stream
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TARGET_PPC_INSNS_MIGRATION_H
#define TARGET_PPC_INSNS_MIGRATION_H

#include "cpu.h"

/**
 * ppc_insns_pre_load, ppc_insns_pre_save:
 *
 * Set the scratch fields that the words are loaded into, and saved from, to
 * ppc_insns_compat_wire().
 */
int ppc_insns_pre_load(void *opaque);
void ppc_insns_pre_save(PowerPCCPU *cpu);

/**
 * ppc_insns_check_stream:
 * @verdict: filled in
 *
 * Judges the words that came in, before the stream's PVR is looked at.
 *
 * Returns: 0, or, having said why, -EINVAL if the guest may be using
 * instructions that @cpu does not have.
 */
int ppc_insns_check_stream(PowerPCCPU *cpu, PPCInsnsVerdict *verdict);

/**
 * ppc_insns_warn_of_stream:
 * @source_pvr: the stream's; @cpu has its own again by now, perhaps
 * @verdict: ppc_insns_check_stream()'s
 *
 * Says what is different for the guest of a stream that is taken.
 */
void ppc_insns_warn_of_stream(PowerPCCPU *cpu, uint32_t source_pvr,
                              const PPCInsnsVerdict *verdict);

/**
 * ppc_insns_report_pvr:
 *
 * Says that the stream is refused because its PVR is another CPU model's.
 */
void ppc_insns_report_pvr(PowerPCCPU *cpu);

#endif /* TARGET_PPC_INSNS_MIGRATION_H */
