static bool qtest_has_machine(const char *machine)
{
    QTestState *qts = qtest_init("-machine none");
    QDict *answer = qtest_qmp(qts, "{'execute': 'query-machines'}");
    const QListEntry *entry;
    bool found = false;

    QLIST_FOREACH_ENTRY(qdict_get_qlist(answer, "return"), entry) {
        QDict *row = qobject_to(QDict, qlist_entry_obj(entry));

        found |= !strcmp(qdict_get_str(row, "name"), machine) ||
                 (qdict_haskey(row, "alias") &&
                  !strcmp(qdict_get_str(row, "alias"), machine));
    }
    qobject_unref(answer);
    qtest_quit(qts);
    return found;
}
