# bash completion for ppc-insns
# SPDX-License-Identifier: GPL-2.0-or-later

_ppc_insns()
{
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
    local command=${COMP_WORDS[1]} words=

    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        words='show check rewrite options diff history --help --version'
    else
        case $prev in
        --to | --release)
            # The releases stand in the tool; an impossible one lists them.
            words=$("${COMP_WORDS[0]}" history --release 0 2>&1 |
                    sed -n 's/.*there are \(.*\), and \(.*\) and \(.*\) count.*/\1, \2, \3/p' |
                    tr -d ,)
            ;;
        --from)
            words=$("${COMP_WORDS[0]}" show --from - </dev/null 2>&1 |
                    sed -n 's/.*there are //p' | tr -d ,)
            words+=' upstream'
            ;;
        --family)
            words=$("${COMP_WORDS[0]}" history --family - 2>&1 |
                    sed -n 's/.*there are //p')
            ;;
        --cpu)
            words='970 POWER5+ POWER7 POWER7+ POWER8 POWER8E POWER8NVL POWER9 POWER10'
            ;;
        --htm)
            words='off keep'
            ;;
        --machine | --like | --global | --device-limit | --expand-limit)
            return
            ;;
        *)
            case $command in
            show) words='--json --from --device-limit --expand-limit --help' ;;
            check) words='--to --from --cpu --machine --like --global --kvm --with-series --json --device-limit --expand-limit --help' ;;
            rewrite) words='--to --from --cpu --machine --like --global --htm --with-series --force --device-limit --expand-limit --help' ;;
            options) words='--to --from --cpu --machine --like --kvm --with-series --libvirt --device-limit --expand-limit --help' ;;
            diff) words='--device-limit --expand-limit --help' ;;
            history) words='--family --release --json --help' ;;
            esac
            if [[ $cur != -* && ($command == show || $command == check || $command == options || $command == diff) ]]; then
                compopt -o default
                return
            fi
            ;;
        esac
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
} &&
complete -F _ppc_insns ppc-insns
