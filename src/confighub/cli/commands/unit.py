"""``cub unit``: the group; the commands stand in the ``unit_*`` modules beside it, by what they do."""

from __future__ import annotations

from confighub.cli.command import Group, space_option

GROUP = Group(
    "Units: named pieces of configuration.",
    {
        "list": "unit_list:list_units",
        "get": "unit_show:get",
        "diff": "unit_show:diff",
        "get-live-state": "unit_show:live_state",
        "livestate": "unit_show:live_state",
        "export": "unit_export:export",
        "tree": "unit_tree:tree",
        "why": "unit_why:why",
        "create": "unit_create:create",
        "update": "unit_update:update",
        "edit": "unit_update:edit",
        "set-target": "unit_update:set_target",
        "push-upgrade": "unit_update:push_upgrade",
        "delete": "unit_delete:delete",
        "apply": "unit_act:apply",
        "destroy": "unit_act:destroy",
        "refresh": "unit_act:refresh",
        "approve": "unit_act:approve",
        "tag": "unit_act:tag",
        "import": "unit_import:import_units",
        "revision": "revision:GROUP",
    },
    options=[space_option()],
    hidden=["livestate"],
)
