# SPDX-License-Identifier: GPL-2.0-or-later
#
# A big-endian sPAPR guest that does what an idle operating system does: its
# CPUs sleep in H_CEDE, their decrementers wake them every 20 ms, CPU 0 sends
# the others interrupts, and one of them stops and is started again.  It is
# loaded at address 0 with -bios and entered at 0x100 in real mode.  guest.S
# shows that registers and instructions outlive a migration; this one shows
# whether a CPU still wakes.
#
# At the start CPU 0 asks the hypervisor which interrupt server numbers exist
# (0 to 63), and keeps them for good, as an operating system keeps those of the
# device tree.  It starts the other CPUs by these numbers (RTAS start-cpu), at
# most 8 in all, and sends every device interrupt to the last CPU.
#
# Then every CPU sleeps in H_CEDE.  Every 20 ms (at 512 MHz) its decrementer
# wakes it.  It then works with interrupts off for 3 ms, so that a stream may
# also be taken while one waits.  Two thirds into that, CPU 0 sends an interrupt to
# every CPU, itself included.  At the end it writes a line on the first
# spapr-vty:
#
#   <count:8 hex> <state> rc <rc> trap <n> tb <n> dec <n> ... ipi <n> ...
#       wake <n> ... dev <n> ... srv <n> ... up <n> ...
#
# count  ticks of CPU 0; the first line is 00000000
# state  "ok", or "BAD" while: an H_IPI of this tick failed; a program interrupt
#        or a lost register was seen (then for ever); or some CPU has taken no
#        IPI, or no decrementer interrupt, for 25 ticks (half a second)
# rc     low half of the last return code of H_IPI, or of a call at the start,
#        that was not H_SUCCESS (fffc is H_PARAMETER: no such server)
# trap   program interrupts, plus 0x100 for a lost register of CPU 0
# tb     the time base, in units of 2^20 (2 ms)
# dec    decrementer interrupts taken, one number a CPU, as in all that follow
# ipi    external interrupts taken that were IPIs
# wake   returns from H_CEDE
# dev    other external interrupts taken; they come if somebody types on the vty
# srv    interrupt server numbers: 0000 0001 0002 0003 or 0000 0008 0010 0018
# up     how often the CPU was started again.  CPU 1 stops (RTAS stop-self) every
#        32 ticks, and is started again two ticks later
#
# All numbers are hexadecimal and 16 bits wide; they wrap.  No more lines means
# that CPU 0 itself does not wake.  The first line after a migration may be the
# end of one that was begun before it.
#
#   powerpc64-linux-gnu-as -mbig -a64 -o idle.o idle.S
#   powerpc64-linux-gnu-ld -EB -Ttext 0 --oformat binary -o idle.bin idle.o
#
# as --defsym XIVE=1: it asks for XIVE and radix (H_CAS), and uses XIVE: IPIs are
#   stores to ESB pages, events are read from queues, CPUs acknowledge at the
#   TIMA.  Without, it uses XICS and asks for nothing.
# as --defsym LATE=1: it waits 2 s before it starts the other CPUs, for streams
#   in which they still wait for start-cpu.

        .machine power7
        .abiversion 2
        .text
        .globl  _start

        .set    H_GET_TERM_CHAR, 0x54
        .set    H_PUT_TERM_CHAR, 0x58
        .set    H_EOI, 0x64
        .set    H_CPPR, 0x68
        .set    H_IPI, 0x6c
        .set    H_XIRR, 0x74
        .set    H_INT_GET_SOURCE_INFO, 0x3a8
        .set    H_INT_SET_SOURCE_CONFIG, 0x3ac
        .set    H_INT_GET_QUEUE_INFO, 0x3b4
        .set    H_INT_SET_QUEUE_CONFIG, 0x3b8
        .set    H_INT_ESB, 0x3c8
        .set    H_CEDE, 0xe0
        .set    H_RTAS, 0xf000
        .set    H_CAS, 0xf002
        .set    QUERY_CPU_STOPPED, 0x2005       # RTAS tokens, the same in every release
        .set    START_CPU, 0x2006
        .set    STOP_SELF, 0x2007
        .set    SET_XIVE, 0x200a
        .set    VTY, 0x71000000
        .set    MAX_CPUS, 8
        .set    STALL, 25               # ticks
        .set    STOP_EVERY, 32          # ticks, a power of two

# XIVE: where QEMU has the OS page of the TIMA, and what we use of it
        .set    TIMA_HIGH, 0x00060302   # 0x0006030203180000 + 0x20000
        .set    TIMA_LOW, 0x031a0000
        .set    TIMA_CPPR, 0x11
        .set    TIMA_ACK, 0x810
        .set    ESB_PQ_00, 0xc00        # loads from the second page of a source
        .set    XIVE_PRIORITY, 6
        .set    QUEUES, 0x100000        # a page for each CPU
        .set    CAS_TREE, 0x200000      # the device tree that H_CAS writes
        .set    CAS_SIZE, 0x100000

# One area a CPU, in memory after the image; r13 points to it, always.
        .set    CPUS, 0x4000
        .set    CPU_SIZE_LOG, 8
        .set    c_save, 0               # r0, r3 to r12, LR, CTR, CR, XER, SRR0, SRR1
        .set    c_dec, 0x90             # halfwords from here on, in the order of the line
        .set    c_ipi, 0x92
        .set    c_wake, 0x94
        .set    c_dev, 0x96
        .set    c_server, 0x98
        .set    c_up, 0x9a              # last in the line
        .set    c_tick, 0x9c            # the decrementer has expired
        .set    c_olddec, 0x9e          # what CPU 0 saw last, and for how many ticks
        .set    c_oldipi, 0xa0
        .set    c_stalldec, 0xa2
        .set    c_stallipi, 0xa4
        .set    c_stop, 0xa6            # 1: it is to stop; 2: it does; 3: it has for a tick
        .set    c_eoi, 0xa8             # XIVE: both pages of this CPU's IPI
        .set    c_trigger, 0xb0
        .set    c_queue, 0xb8           # its queue, the next entry, and that one's
        .set    c_index, 0xc0           # generation
        .set    c_generation, 0xc4

# Registers that keep their meaning: r13 own area, r29 data, r28 number of CPUs; CPU 0 only: r31 count, r27 last bad return
# code, r26 a reason to be BAD in this tick, r14 to r17 test values.

_start:
        .org    0x100
        b       begin
        .org    0x500
        b       external
        .org    0x700
        b       program
        .org    0x900
        b       decrementer

# Two places where the tests can see a CPU: it works for r5 ticks of the time base
        .org    0xa00
work:   mfspr   3, 268
        add     4, 3, 5
1:      mfspr   3, 268
        cmpld   3, 4
        blt     1b
        blr

        .org    0xa40
# and it stops; CPU 0 sees that, and starts it again
stop:   li      3, 2
        sth     3, c_stop(13)
        addi    4, 29, stopargs - data
        lis     3, 0
        ori     3, 3, H_RTAS
        sc      1
1:      b       1b

        .macro  ee_off
        li      0, 2                    # EE 0, RI 1
        mtmsrd  0, 1
        .endm
        .macro  ee_on
        li      0, -0x7ffe              # EE 1, RI 1 (mtmsrd with L=1 looks at nothing else)
        mtmsrd  0, 1
        .endm
        .macro  bump offset
        lhz     3, \offset(13)
        addi    3, 3, 1
        sth     3, \offset(13)
        .endm
        .macro  hcall number
        li      3, \number
        sc      1
        .endm

        .org    0x1000
begin:
        mfmsr   3                       # 64 bits: QEMU starts CPU 0 with 32
        li      4, 1
        sldi    4, 4, 63
        or      3, 3, 4
        mtmsrd  3
        lis     29, data@h
        ori     29, 29, data@l
        li      28, 0
        li      27, 0
        li      31, 0
        li      14, 0x1414
        li      15, 0x1515
        li      16, 0x1616
        li      17, 0x1717
        li      13, CPUS

        li      3, MAX_CPUS << (CPU_SIZE_LOG - 3)       # the areas start at zero, after a reset, too
        mtctr   3
        addi    4, 13, -8
1:      stdu    28, 8(4)
        bdnz    1b
        stw     28, trap - data(29)

        .ifdef  XIVE
        addi    4, 29, cas_vector - data
        lis     5, CAS_TREE@h
        lis     6, CAS_SIZE@h
        lis     3, 0
        ori     3, 3, H_CAS
        sc      1
        bl      note
        .endif

        li      20, 0                   # which servers are there?
1:      mr      4, 20
        .ifdef  XIVE
        mr      5, 20
        li      4, 0
        li      6, XIVE_PRIORITY
        hcall   H_INT_GET_QUEUE_INFO
        .else
        li      5, 0xff                 # an MFRR that sends nothing
        hcall   H_IPI
        .endif
        cmpdi   3, 0
        bne     2f
        sldi    6, 28, CPU_SIZE_LOG
        add     6, 6, 13
        sth     20, c_server(6)
        addi    28, 28, 1
        cmpdi   28, MAX_CPUS
        beq     3f
2:      addi    20, 20, 1
        cmpdi   20, 64
        bne     1b

3:
        .ifdef  XIVE
        bl      xive_ipis
        .endif
        .ifdef  LATE
        mfspr   3, 268                  # wait 2 s at 512 MHz
        lis     4, 0x4000
        add     4, 3, 4
7:      mfspr   3, 268
        cmpld   3, 4
        blt     7b
        .endif
        li      20, 1                   # start the others
4:      cmpd    20, 28
        bge     5f
        bl      start_cpu
        addi    20, 20, 1
        b       4b

5:      addi    6, 28, -1               # device interrupts to the last CPU
        sldi    6, 6, CPU_SIZE_LOG
        add     6, 6, 13
        lhz     21, c_server(6)
        li      20, 0x1000              # up to 3.0 from there; later VIO devices from
6:      bl      device                  # 0x1100, LSIs from 0x1200, MSIs from 0x1300
        addi    20, 20, 1
        cmpdi   20, 0x1340
        bne     6b
        li      30, 0
        b       start

# let CPU number r20 begin at secondary
start_cpu:
        mflr    24
        sldi    6, 20, CPU_SIZE_LOG
        addi    6, 6, CPUS
        lhz     5, c_server(6)
        lis     6, secondary@h
        ori     6, 6, secondary@l
        li      4, START_CPU
        mr      7, 20
        bl      rtas
        mtlr    24
        blr

# send interrupt r20 to server r21; those that do not exist are refused, no matter
device:
        .ifdef  XIVE
        li      4, 2                    # set what the queue shows, too
        mr      5, 20
        mr      6, 21
        li      7, XIVE_PRIORITY
        mr      8, 20
        hcall   H_INT_SET_SOURCE_CONFIG
        cmpdi   3, 0
        bnelr
        li      4, 0                    # let it come
        mr      5, 20
        li      6, ESB_PQ_00
        hcall   H_INT_ESB
        blr
        .else
        mflr    24
        li      4, SET_XIVE
        mr      5, 20
        mr      6, 21
        li      7, 5
        bl      rtas
        mtlr    24
        blr
        .endif

# keep a return code r3 that is not H_SUCCESS
note:   cmpdi   3, 0
        beqlr
        mr      27, 3
        blr

        .ifdef  XIVE
# a queue and an IPI for each CPU; its IPI is the interrupt with its own number
xive_ipis:
        mflr    24
        li      20, 0
        mr      21, 13
1:      lis     22, QUEUES@h
        sldi    3, 20, 12
        add     22, 22, 3
        std     22, c_queue(21)
        li      3, 1
        stw     3, c_generation(21)
        li      3, 512                  # the queue starts empty, after a reset, too
        mtctr   3
        addi    4, 22, -8
        li      3, 0
2:      stdu    3, 8(4)
        bdnz    2b
        li      4, 1                    # tell of each event
        lhz     5, c_server(21)
        li      6, XIVE_PRIORITY
        mr      7, 22
        li      8, 12
        hcall   H_INT_SET_QUEUE_CONFIG
        bl      note
        li      4, 2
        mr      5, 20
        lhz     6, c_server(21)
        li      7, XIVE_PRIORITY
        mr      8, 20
        hcall   H_INT_SET_SOURCE_CONFIG
        bl      note
        li      4, 0
        mr      5, 20
        hcall   H_INT_GET_SOURCE_INFO
        std     5, c_eoi(21)
        std     6, c_trigger(21)
        bl      note
        ld      5, c_eoi(21)
        ld      3, ESB_PQ_00(5)         # let it come
        addi    21, 21, 1 << CPU_SIZE_LOG
        addi    20, 20, 1
        cmpd    20, 28
        bne     1b
        mtlr    24
        blr

# r3: the OS page of the TIMA
        .macro  tima
        lis     3, TIMA_HIGH@h
        ori     3, 3, TIMA_HIGH@l
        sldi    3, 3, 32
        oris    3, 3, TIMA_LOW@h
        ori     3, 3, TIMA_LOW@l
        .endm
        .endif

# RTAS call r4 with three arguments r5, r6, r7 and one result, which is of no interest
rtas:   addi    8, 29, rtasargs - data
        stw     4, 0(8)
        li      4, 3
        stw     4, 4(8)
        li      4, 1
        stw     4, 8(8)
        stw     5, 12(8)
        stw     6, 16(8)
        stw     7, 20(8)
        mr      4, 8
        lis     3, 0
        ori     3, 3, H_RTAS
        sc      1
        blr

secondary:                              # r3: number of this CPU, from start-cpu
        mr      30, 3
        lis     29, data@h
        ori     29, 29, data@l
        sldi    13, 30, CPU_SIZE_LOG
        addi    13, 13, CPUS

start:
        .ifdef  XIVE
        tima
        li      4, 0xff                 # let every priority in
        stb     4, TIMA_CPPR(3)
        .else
        li      4, 0xff
        hcall   H_CPPR
        .endif
        lis     3, 0x9c                 # 20 ms
        mtspr   22, 3

idle:   ee_off                          # sleep unless there is work
        lhz     3, c_tick(13)
        cmpdi   3, 0
        bne     1f
        hcall   H_CEDE                  # turns EE on; the interrupt is taken when it returns
        bump    c_wake
        b       idle
1:      li      3, 0
        sth     3, c_tick(13)
        lhz     3, c_stop(13)
        cmpdi   3, 1
        beq     stop
        li      26, 0
        cmpdi   30, 0
        bne     2f
        lis     5, 0x10                 # 2 ms with interrupts off
        bl      work
        bl      send
        lis     5, 0x8
        b       3f
2:      lis     5, 0x18                 # 3 ms
3:      bl      work
        ee_on
        cmpdi   30, 0
        bne     idle
        bl      restart
        bl      judge
        bl      report
        addi    31, 31, 1
        b       idle

# CPU 0: every STOP_EVERY ticks let CPU 1 stop, if there is one; start it again a
# tick after it has.  A CPU that sleeps in H_CEDE looks stopped to QEMU, too, so
# c_stop says which it is.
restart:
        cmpdi   28, 2
        bltlr
        addi    21, 13, 1 << CPU_SIZE_LOG
        lhz     3, c_stop(21)
        cmpdi   3, 0
        bne     1f
        andi.   3, 31, STOP_EVERY - 1
        cmpdi   3, STOP_EVERY - 1
        bnelr
        li      3, 1
        sth     3, c_stop(21)
        blr
1:      cmpdi   3, 1
        beqlr
        cmpdi   3, 2
        bne     2f
        addi    4, 29, queryargs - data
        lhz     5, c_server(21)
        stw     5, 12(4)
        lis     3, 0
        ori     3, 3, H_RTAS
        sc      1
        lwz     3, queryargs + 20 - data(29)
        cmpdi   3, 0                    # 0: stopped
        bnelr
        li      3, 3
        sth     3, c_stop(21)
        blr
2:      li      3, 0
        sth     3, c_stop(21)
        lhz     3, c_up(21)
        addi    3, 3, 1
        sth     3, c_up(21)
        mflr    25
        li      20, 1
        bl      start_cpu
        mtlr    25
        blr

# an IPI to every CPU
send:   li      20, 0
        li      21, CPUS
1:
        .ifdef  XIVE
        ld      4, c_trigger(21)
        li      3, 0
        std     3, 0(4)
        .else
        lhz     4, c_server(21)
        li      5, 4
        hcall   H_IPI
        cmpdi   3, 0
        beq     2f
        mr      27, 3
        li      26, 1
2:
        .endif
        addi    21, 21, 1 << CPU_SIZE_LOG
        addi    20, 20, 1
        cmpd    20, 28
        bne     1b
        blr

        .macro  stalled now, old, ticks
        lhz     3, \now(21)
        lhz     4, \old(21)
        sth     3, \old(21)
        lhz     5, \ticks(21)
        addi    5, 5, 1
        cmpd    3, 4
        beq     9f
        li      5, 0
9:      sth     5, \ticks(21)
        cmpdi   5, STALL
        blt     9f
        li      26, 1
        li      5, STALL
        sth     5, \ticks(21)
9:
        .endm

# is anything wrong? r26 says so
judge:  lwz     3, trap - data(29)
        cmpldi  14, 0x1414
        bne     1f
        cmpldi  15, 0x1515
        bne     1f
        cmpldi  16, 0x1616
        bne     1f
        cmpldi  17, 0x1717
        beq     2f
1:      ori     3, 3, 0x100
        stw     3, trap - data(29)
2:      cmpdi   3, 0
        beq     3f
        li      26, 1
3:      li      20, 0
        li      21, CPUS
4:      stalled c_dec, c_olddec, c_stalldec
        stalled c_ipi, c_oldipi, c_stallipi
        addi    21, 21, 1 << CPU_SIZE_LOG
        addi    20, 20, 1
        cmpd    20, 28
        bne     4b
        blr

# build the line at r8 and write it in 16-byte pieces
report: mflr    25
        lis     8, line@h
        ori     8, 8, line@l
        srdi    3, 31, 16
        bl      hex
        mr      3, 31
        bl      hex
        lis     3, 0x206f               # " ok "
        ori     3, 3, 0x6b20
        cmpdi   26, 0
        beq     1f
        lis     3, 0x2042               # " BAD"
        ori     3, 3, 0x4144
1:      stw     3, 0(8)
        addi    8, 8, 4
        addi    9, 29, names - data
        bl      name                    # rc
        mr      3, 27
        bl      field
        bl      name                    # trap
        lwz     3, trap - data(29)
        bl      field
        bl      name                    # tb
        mfspr   3, 268
        srdi    3, 3, 20
        bl      field
        li      22, c_dec
2:      bl      name                    # dec, ipi, wake, dev, srv, up
        li      20, 0
        li      21, CPUS
3:      lhzx    3, 21, 22
        bl      field
        addi    21, 21, 1 << CPU_SIZE_LOG
        addi    20, 20, 1
        cmpd    20, 28
        bne     3b
        addi    22, 22, 2
        cmpdi   22, c_up
        ble     2b
        li      3, '\n'
        stb     3, 0(8)
        addi    23, 8, 1
        lis     8, line@h
        ori     8, 8, line@l
4:      sub     5, 23, 8
        cmpdi   5, 16
        ble     5f
        li      5, 16
5:      ld      6, 0(8)
        ld      7, 8(8)
        add     24, 8, 5
        lis     4, VTY@h
        hcall   H_PUT_TERM_CHAR
        mr      8, 24
        cmpd    8, 23
        blt     4b
        mtlr    25
        blr

name:   lbz     3, 0(9)                 # copy up to the next zero byte
        addi    9, 9, 1
        cmpdi   3, 0
        beqlr
        stb     3, 0(8)
        addi    8, 8, 1
        b       name

field:  li      4, ' '                  # a blank and four hexadecimal digits of r3
        stb     4, 0(8)
        addi    8, 8, 1
hex:    li      4, 4
        mtctr   4
        sldi    4, 3, 48
1:      rldicl  5, 4, 4, 60
        sldi    4, 4, 4
        addi    6, 5, '0'
        cmpldi  5, 10
        blt     2f
        addi    6, 5, 'a' - 10
2:      stb     6, 0(8)
        addi    8, 8, 1
        bdnz    1b
        blr

# interrupts
        .macro  save
        std     0, c_save(13)
        .set    n, 3
        .rept   10
        std     n, c_save + 8 * (n - 2)(13)
        .set    n, n + 1
        .endr
        mflr    3
        std     3, c_save + 88(13)
        mfctr   3
        std     3, c_save + 96(13)
        mfcr    3
        stw     3, c_save + 104(13)
        mfxer   3
        stw     3, c_save + 108(13)
        mfspr   3, 26
        std     3, c_save + 112(13)
        mfspr   3, 27
        std     3, c_save + 120(13)
        .endm

restore:
        ld      3, c_save + 120(13)
        mtspr   27, 3
        ld      3, c_save + 112(13)
        mtspr   26, 3
        lwz     3, c_save + 108(13)
        mtxer   3
        lwz     3, c_save + 104(13)
        mtcr    3
        ld      3, c_save + 96(13)
        mtctr   3
        ld      3, c_save + 88(13)
        mtlr    3
        .set    n, 3
        .rept   10
        ld      n, c_save + 8 * (n - 2)(13)
        .set    n, n + 1
        .endr
        ld      0, c_save(13)
        rfid

decrementer:
        save
        lis     3, 0x9c
        mtspr   22, 3
        bump    c_dec
        li      3, 1
        sth     3, c_tick(13)
        b       restore

program:                                # none is expected: count it, skip the instruction
        save
        lwz     3, trap - data(29)
        addi    3, 3, 1
        stw     3, trap - data(29)
        ld      3, c_save + 112(13)
        addi    3, 3, 4
        std     3, c_save + 112(13)
        b       restore

external:
        save
        .ifdef  XIVE
1:      tima
        lhz     4, TIMA_ACK(3)          # NSR and CPPR; the CPPR is now that of the event
        andi.   4, 4, 0x8000
        beq     restore
2:      ld      5, c_queue(13)          # all events in the queue
        lwz     6, c_index(13)
        sldi    7, 6, 2
        lwzx    7, 5, 7
        lwz     8, c_generation(13)
        srdi    9, 7, 31
        cmpd    9, 8
        bne     5f
        addi    6, 6, 1
        cmpdi   6, 1024
        bne     3f
        li      6, 0
        xori    8, 8, 1
        stw     8, c_generation(13)
3:      stw     6, c_index(13)
        clrldi  7, 7, 33
        cmpdi   7, 0x1000
        bge     4f
        bump    c_ipi
        ld      5, c_eoi(13)
        ld      3, 0(5)
        b       2b
4:      std     7, c_save + 128(13)
        bump    c_dev
        lis     4, VTY@h                # only the vty raises any: empty it
        hcall   H_GET_TERM_CHAR
        li      4, 0
        ld      5, c_save + 128(13)
        li      6, 0
        hcall   H_INT_ESB
        b       2b
5:      tima
        li      4, 0xff
        stb     4, TIMA_CPPR(3)
        b       1b
        .else
1:      hcall   H_XIRR
        std     4, c_save + 128(13)
        clrldi. 5, 4, 40                # XISR: 0 none, 2 an IPI, else a device
        beq     restore
        cmpdi   5, 2
        bne     2f
        lhz     4, c_server(13)         # it is taken: MFRR back to idle
        li      5, 0xff
        hcall   H_IPI
        bump    c_ipi
        b       3f
2:      bump    c_dev
        lis     4, VTY@h                # only the vty raises any: empty it
        hcall   H_GET_TERM_CHAR
3:      ld      4, c_save + 128(13)
        hcall   H_EOI
        b       1b
        .endif

        .balign 16
data:
trap:   .long   0
rtasargs:
        .space  32
stopargs:
        .long   STOP_SELF, 0, 1, 0
queryargs:
        .long   QUERY_CPU_STOPPED, 1, 2, 0, 0, 0
        .ifdef  XIVE
cas_vector:
        .long   0, 0                    # any PVR will do
        .long   0, 0xffffffff           # the end of the PVRs
        .byte   4                       # five option vectors
        .byte   2, 0, 0, 0x80           # 1: ISA 3.00
        .byte   0, 0                    # 2 to 4
        .byte   0, 0
        .byte   0, 0
        .byte   25                      # 5, of 26 bytes
        .byte   0, 0, 0, 0, 0, 1        # byte 6: the hash table may stay as it is
        .space  16
        .byte   0x40, 0x40, 0, 0x40     # bytes 23 to 26: XIVE, radix, GTSE
        .balign 4
        .endif
names:  .asciz  " rc", " trap", " tb", " dec", " ipi", " wake", " dev", " srv", " up"
        .balign 16
        .set    line, 0x5000
        .balign 4096
