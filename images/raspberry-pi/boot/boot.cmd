# Chooses the root slot. U-Boot sources this from the boot partition with devtype and devnum set; docs/adr has the reasons.
# Slot state: two copies of one sector (0x40, 0x80), each an environment with its CRC; the older copy is written, never the newest.
echo "Hearthline boot"
if test "${board}" = "qemu-arm"; then
  setenv hl_ram 40000000
  # Two sets of page tables (KPTI) cost an emulator a flush of its translations at each system call; no board comes by here.
  setenv hl_console "console=ttyAMA0 kpti=off"
else
  setenv hl_ram 0
  setenv hl_console "console=ttyAMA0,115200 console=ttyS1,115200"
fi
setexpr hl_kernel ${hl_ram} + 4000000
setexpr kernel_comp_addr_r ${hl_ram} + c000000
setenv kernel_comp_size 2000000
setexpr hl_initrd ${hl_ram} + 10000000
setexpr hl_fdt ${hl_ram} + 12000000
setexpr hl_copy0 ${hl_ram} + 1000000
setexpr hl_copy1 ${hl_ram} + 1001000
setexpr hl_head ${hl_ram} + 1002000
setexpr hl_sum ${hl_ram} + 1004000
fdt addr ${fdt_addr}
fdt move ${fdt_addr} ${hl_fdt} 200000

# Reads and writes below go to the device in hand, which is not the one this script came from where there is more than one.
${devtype} dev ${devnum}
setenv hl_vars "HL_SEQ BOOT_ORDER BOOT_A_LEFT BOOT_B_LEFT HL_STOP"
setenv hl_seq0 0
setenv hl_seq1 0
if ${devtype} read ${hl_copy0} 40 1; then
  if env import -c ${hl_copy0} 200 ${hl_vars}; then setenv hl_seq0 ${HL_SEQ}; fi
fi
if ${devtype} read ${hl_copy1} 80 1; then
  if env import -c ${hl_copy1} 200 ${hl_vars}; then setenv hl_seq1 ${HL_SEQ}; fi
fi
setenv hl_next 40
if itest ${hl_seq0} == 0 && itest ${hl_seq1} == 0; then
  echo "Hearthline: no copy of the slot state can be read, both slots are tried"
  setenv HL_SEQ 0
  setenv BOOT_ORDER "A B"
  setenv BOOT_A_LEFT 3
  setenv BOOT_B_LEFT 3
  setenv HL_STOP 0
elif itest ${hl_seq0} -gt ${hl_seq1}; then
  setenv hl_next 80
  env import -c ${hl_copy0} 200 ${hl_vars}
fi
if test "${HL_STOP}" = "1"; then
  echo "Hearthline: power is back after a recovery stop, one more try for each slot"
  setenv BOOT_A_LEFT 1
  setenv BOOT_B_LEFT 1
  setenv HL_STOP 0
fi

# Writes the state to the older copy and makes that the newest.
setenv hl_save 'setexpr HL_SEQ ${HL_SEQ} + 1; env export -c -s 200 ${hl_copy0} ${hl_vars}; ${devtype} write ${hl_copy0} ${hl_next} 1; if itest ${hl_next} == 40; then setenv hl_next 80; else setenv hl_next 40; fi'

# Finds the slot's own script behind its root file system (whose length stands in its first sector) and runs it; comes back only on a fault.
setenv hl_try 'setenv hl_fault "cannot be read"; part start ${devtype} ${devnum} ${hl_part} hl_start; if ${devtype} read ${hl_head} ${hl_start} 1; then if itest.l *${hl_head} == 73717368; then setexpr hl_at ${hl_head} + 28; setexpr.l hl_size *${hl_at}; setexpr hl_size ${hl_size} + fff; setexpr hl_size ${hl_size} / 1000; setexpr hl_size ${hl_size} * 8; setexpr hl_base ${hl_start} + ${hl_size}; setenv hl_fault "has no valid header"; if ${devtype} read ${hl_head} ${hl_base} 8; then source ${hl_head}; fi; else setenv hl_fault "is empty"; fi; fi; echo "Hearthline: slot ${hl_slot} ${hl_fault}"'

for hl_name in ${BOOT_ORDER}; do
  setenv hl_slot ${hl_name}
  setenv hl_left 0
  if test "${hl_slot}" = "A"; then setenv hl_left ${BOOT_A_LEFT}; setenv hl_part 2; fi
  if test "${hl_slot}" = "B"; then setenv hl_left ${BOOT_B_LEFT}; setenv hl_part 3; fi
  if itest ${hl_left} -gt 0; then
    if itest ${hl_left} -gt 3; then setenv hl_left 3; fi
    setexpr hl_attempt 4 - ${hl_left}
    setexpr hl_left ${hl_left} - 1
    setenv BOOT_${hl_slot}_LEFT ${hl_left}
    run hl_save
    echo "Hearthline: slot ${hl_slot}, attempt ${hl_attempt}, ${hl_left} left, order ${BOOT_ORDER}"
    run hl_try
    setenv BOOT_${hl_slot}_LEFT 0
    run hl_save
  fi
done

setenv HL_STOP 1
run hl_save
echo ""
echo "Hearthline: RECOVERY STOP. Neither slot starts."
echo "Switch the power off and on for one more try of each slot; if this comes again, write the card anew (hearthline flash)."
if test "${board}" = "rpi"; then gpio set 42; fi
while true; do sleep 3600; done
