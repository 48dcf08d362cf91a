# Starts a node of Galera in the folder $1, which holds its settings. If $2 is "found", and the node
# has no data yet, it founds the cluster; any other node without data gets all of it from the cluster.
set -e
settings="$1/my.cnf"
data="$1/files"
if [ ! -d "$data" ]; then
    rm -rf "$1/new"
    mkdir "$1/new"
    if [ "$2" = found ]; then
        # Everybody is let in, from everywhere. While tables are installed there is no GRANT.
        echo "INSERT INTO mysql.global_priv VALUES ('%', 'root', '{\"access\":18446744073709551615}');" \
            > "$1/users.sql"
        mariadb-install-db --defaults-file="$settings" --datadir="$1/new" --skip-test-db \
            --auth-root-authentication-method=normal --extra-file="$1/users.sql" > "$1/install.log"
    fi
    mv "$1/new" "$data"
fi
if [ "$2" = found ] && [ ! -e "$data/grastate.dat" ]; then
    exec mariadbd --defaults-file="$settings" --wsrep-new-cluster
fi
# How far a node was when it was killed, as the service of the package finds it out.
position=""
if [ -e "$data/ibdata1" ]; then
    position=$(galera_recovery --defaults-file="$settings")
fi
exec mariadbd --defaults-file="$settings" $position
